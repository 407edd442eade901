import { LetmepostError } from './errors.js'
import { Http } from './http.js'
import { MediaResource } from './media.js'
import { PostsResource } from './posts.js'
import { WebhooksResource } from './webhooks.js'

const DEFAULT_BASE_URL = 'https://api.letmepost.dev'
const DEFAULT_TIMEOUT_MS = 60_000

export interface LetmepostOptions {
  /** `lmp_live_…` or `lmp_test_…`. Default: the environment's LMP_API_KEY. */
  apiKey?: string | undefined
  /** Default: the environment's LMP_BASE_URL, else the hosted service. */
  baseURL?: string | undefined
  /** For one attempt, in milliseconds; an upload's own default is longer. Default 60,000. */
  timeoutMs?: number | undefined
  /** How often a failed attempt is repeated, where that is safe. Default 4; pieces of an upload 10. */
  maxRetries?: number | undefined
}

/** Everything starts here: `new Letmepost({ apiKey }).media.upload(…)`. */
export class Letmepost {
  readonly media: MediaResource
  readonly posts: PostsResource
  readonly webhooks: WebhooksResource

  /** Throws LetmepostError `api_key_missing` or `base_url_invalid`. */
  constructor(options: LetmepostOptions = {}) {
    const apiKey = options.apiKey ?? environment('LMP_API_KEY')
    if (!apiKey) {
      throw new LetmepostError('There is no API key.', {
        code: 'api_key_missing',
        remediation: 'Pass apiKey, or set LMP_API_KEY.',
      })
    }
    const http = new Http({
      apiKey,
      baseURL: normalized(options.baseURL || environment('LMP_BASE_URL') || DEFAULT_BASE_URL),
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      maxRetries: options.maxRetries,
    })
    this.media = new MediaResource(http)
    this.posts = new PostsResource(http)
    this.webhooks = new WebhooksResource(http)
  }
}

/** Browsers have none. */
function environment(name: string): string | undefined {
  return typeof process === 'undefined' ? undefined : process.env?.[name]
}

function normalized(baseURL: string): string {
  let url: URL | undefined
  try {
    url = new URL(baseURL)
  } catch {
    // Answered below, with what it should be.
  }
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.username || url.search || url.hash) {
    throw new LetmepostError(`${JSON.stringify(baseURL)} is no base URL.`, {
      code: 'base_url_invalid',
      remediation: 'Give scheme and host, like https://api.example.com.',
    })
  }
  return url.href.replace(/\/+$/, '')
}
