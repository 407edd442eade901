import type { Http, RequestOptions } from './http.js'
import type { CreatePostRequest, ListPostsResponse, Post, PostStatus, UpdatePostRequest, ValidatePostRequest, ValidatePostResponse } from './types.js'
import { until } from './waiting.js'
import type { WaitOptions } from './waiting.js'

const UNSETTLED: readonly PostStatus[] = ['scheduled', 'publishing']

export interface ListPosts {
  /** 1 to 100; default 20. */
  limit?: number | undefined
  /** `nextCursor` of the page before. */
  cursor?: string | undefined
  status?: PostStatus | undefined
}

/** One text with media, sent to many accounts. */
export class PostsResource {
  readonly #http: Http

  constructor(http: Http) {
    this.#http = http
  }

  /** Accepts a post; publishing goes on afterwards. `waitS`: seconds to wait for its end. Throws LetmepostError. */
  create(post: CreatePostRequest, options: RequestOptions & { waitS?: number | undefined } = {}): Promise<Post> {
    return this.#http.send<Post>({ ...options, method: 'POST', path: '/v1/posts', json: post })
  }

  /** Every problem `create` would refuse the post for; nothing is kept. */
  validate(post: ValidatePostRequest, options: RequestOptions = {}): Promise<ValidatePostResponse> {
    return this.#http.send<ValidatePostResponse>({ ...options, method: 'POST', path: '/v1/posts/validate', json: post })
  }

  /** Changes a scheduled post; fields left out stay. `scheduledAt: null` publishes it now. Throws LetmepostError `post_state_conflict`. */
  update(id: string, changes: UpdatePostRequest, options: RequestOptions = {}): Promise<Post> {
    return this.#http.send<Post>({ ...options, method: 'PATCH', path: path(id), json: changes })
  }

  /** Cancels the targets nothing was sent of. Throws LetmepostError `post_state_conflict` where there are none. */
  cancel(id: string, options: RequestOptions = {}): Promise<Post> {
    return this.#http.send<Post>({ ...options, method: 'DELETE', path: path(id) })
  }

  /** Sends failed targets again; with `confirmResend` unconfirmed ones too, which may be live already. */
  retry(
    id: string,
    { confirmResend = false, ...options }: RequestOptions & { confirmResend?: boolean | undefined; waitS?: number | undefined } = {},
  ): Promise<Post> {
    return this.#http.send<Post>({ ...options, method: 'POST', path: `${path(id)}/retry`, json: { confirmResend } })
  }

  /** Throws LetmepostError `post_not_found`. */
  get(id: string, options: RequestOptions = {}): Promise<Post> {
    return this.#http.send<Post>({ ...options, method: 'GET', path: path(id) })
  }

  /** Newest first. */
  list(query: ListPosts = {}, options: RequestOptions = {}): Promise<ListPostsResponse> {
    return this.#http.send<ListPostsResponse>({ ...options, method: 'GET', path: '/v1/posts', query: { ...query } })
  }

  /** Waits until every target is settled, well or not: look at `status` and each target's `error`. */
  waitUntilSettled(id: string, options: WaitOptions = {}): Promise<Post> {
    return until(() => this.get(id, { signal: options.signal }), ({ status }) => !UNSETTLED.includes(status), options)
  }
}

function path(id: string): string {
  return `/v1/posts/${encodeURIComponent(id)}`
}
