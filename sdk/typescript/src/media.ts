import { LetmepostError } from './errors.js'
import { form } from './files.js'
import type { FileInput } from './files.js'
import type { Http, RequestOptions } from './http.js'
import type { ListMediaResponse, Media, MediaKind, MediaStatus } from './types.js'
import { until } from './waiting.js'
import type { WaitOptions } from './waiting.js'

// 100 MB at 170 kB/s.
const UPLOAD_TIMEOUT_MS = 600_000
const UNSETTLED: readonly MediaStatus[] = ['receiving', 'scanning', 'processing']

export interface UploadOptions {
  /** At most 100 MB. */
  file: FileInput
  /** When given, it must agree with the bytes. */
  kind?: MediaKind | undefined
  altText?: string | undefined
  /** Default: the path's or File's own, else "upload". */
  filename?: string | undefined
  /** Seconds to wait for the verdict, 0 to 30; the server's default is 10. */
  waitS?: number | undefined
}

export interface ListMedia {
  /** 1 to 100; default 20. */
  limit?: number | undefined
  /** `nextCursor` of the page before. */
  cursor?: string | undefined
  kind?: MediaKind | undefined
  status?: MediaStatus | undefined
  /** Part of the file name. */
  q?: string | undefined
}

/** Photos and videos, uploaded once. */
export class MediaResource {
  readonly #http: Http

  constructor(http: Http) {
    this.#http = http
  }

  /**
   * Stores one file and waits for its scan. A photo is normally `ready` in the answer.
   * Throws LetmepostError, with code `media_rejected_security` and `details.threat` where the scanner objects.
   */
  async upload(upload: UploadOptions, options: RequestOptions = {}): Promise<Media> {
    const body = await form(upload.file, { kind: upload.kind, altText: upload.altText }, upload.filename)
    const timeoutMs = options.timeoutMs ?? UPLOAD_TIMEOUT_MS
    return this.#http.send<Media>({ ...options, method: 'POST', path: '/v1/media', body, waitS: upload.waitS, timeoutMs })
  }

  /** Throws LetmepostError `media_not_found`. */
  get(id: string, options: RequestOptions = {}): Promise<Media> {
    return this.#http.send<Media>({ ...options, method: 'GET', path: path(id) })
  }

  /** Newest first. */
  list(query: ListMedia = {}, options: RequestOptions = {}): Promise<ListMediaResponse> {
    return this.#http.send<ListMediaResponse>({ ...options, method: 'GET', path: '/v1/media', query: { ...query } })
  }

  /** From then on it is unknown, its URLs too. Throws LetmepostError `media_not_found`. */
  async delete(id: string, options: RequestOptions = {}): Promise<void> {
    await this.#http.send<void>({ ...options, method: 'DELETE', path: path(id) })
  }

  /** Waits until it is `ready`. Throws LetmepostError with the media's own error where it is rejected or failed. */
  async waitUntilReady(id: string, options: WaitOptions = {}): Promise<Media> {
    const ask = () => this.get(id, { signal: options.signal })
    const media = await until(ask, ({ status }) => !UNSETTLED.includes(status), options)
    if (media.status === 'ready') return media
    const { code = `media_${media.status}`, message = `The media is ${media.status}.`, threat } = media.error ?? {}
    throw new LetmepostError(message, { code, details: { mediaId: id, status: media.status, ...(threat ? { threat } : {}) } })
  }
}

function path(id: string): string {
  return `/v1/media/${encodeURIComponent(id)}`
}
