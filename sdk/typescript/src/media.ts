import { LetmepostError } from './errors.js'
import { form, sourceOf } from './files.js'
import type { FileInput } from './files.js'
import type { Http, RequestOptions } from './http.js'
import { uploadInPieces } from './sessions.js'
import type { Progress, Session } from './sessions.js'
import type { ImportMediaRequest, ListMediaResponse, Media, MediaKind, MediaStatus } from './types.js'
import { until } from './waiting.js'
import type { WaitOptions } from './waiting.js'

// More has to come in pieces.
const PLAIN_BYTES = 100_000_000
// 100 MB at 170 kB/s, and a piece at the slowest the service bears.
const UPLOAD_TIMEOUT_MS = 600_000
// The service fetches and waits for 55 s at most.
const IMPORT_TIMEOUT_MS = 70_000
const UNSETTLED: readonly MediaStatus[] = ['receiving', 'scanning', 'processing']

export interface UploadOptions {
  /** At most 500 MB; a stream of unknown size 100 MB. */
  file: FileInput
  /** Of a stream, which may then be uploaded in pieces; of anything else the size is known. */
  sizeBytes?: number | undefined
  /** When given, it must agree with the bytes. */
  kind?: MediaKind | undefined
  altText?: string | undefined
  /** Default: the path's or File's own, else "upload". */
  filename?: string | undefined
  /** Seconds to wait for the verdict, 0 to 30; the server's default is 10. */
  waitS?: number | undefined
  /** In pieces, going on after a lost connection. Default: above 100 MB. */
  resumable?: boolean | undefined
  /** `uploadId` of an upload that did not end: goes on with it. The file must be the same, a stream at its beginning. */
  resumeFrom?: string | undefined
  /** In pieces: told once there is an id for `resumeFrom`. */
  onSession?: ((session: Session) => void) | undefined
  /** In pieces: after each piece. Else once, at the end. */
  onProgress?: ((progress: Progress) => void) | undefined
  /** The same as the other argument's. */
  signal?: AbortSignal | undefined
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
   * In pieces above 100 MB, or when asked to.
   * Throws LetmepostError, with code `media_rejected_security` and `details.threat` where the scanner objects.
   */
  async upload(upload: UploadOptions, options: RequestOptions = {}): Promise<Media> {
    const { kind, altText, waitS, onProgress, onSession, resumeFrom } = upload
    const common = { ...options, signal: options.signal ?? upload.signal, timeoutMs: options.timeoutMs ?? UPLOAD_TIMEOUT_MS, waitS }
    const source = await sourceOf(upload.file, upload.sizeBytes)
    const filename = upload.filename ?? source.filename
    const { sizeBytes } = source
    if (resumeFrom !== undefined || (upload.resumable ?? (sizeBytes ?? 0) > PLAIN_BYTES)) {
      if (sizeBytes === undefined) throw new LetmepostError('A stream in pieces needs sizeBytes.', { code: 'file_invalid' })
      const request = { filename, sizeBytes, kind, altText }
      return uploadInPieces(this.#http, source, request, { ...common, onProgress, onSession, resumeFrom })
    }
    const body = await form(source, { kind, altText }, filename)
    const media = await this.#http.send<Media>({ ...common, method: 'POST', path: '/v1/media', body })
    onProgress?.({ sentBytes: sizeBytes ?? media.sizeBytes, totalBytes: sizeBytes })
    return media
  }

  /**
   * Has the service fetch one file from a public https URL, at most 100 MB; then as `upload`.
   * `waitS`: seconds to wait for the verdict, 0 to 30. Throws LetmepostError, with code `media_url_not_allowed` or
   * `media_url_unreachable` where there is nothing to fetch.
   */
  import(wanted: ImportMediaRequest, options: RequestOptions & { waitS?: number | undefined } = {}): Promise<Media> {
    return this.#http.send<Media>({ timeoutMs: IMPORT_TIMEOUT_MS, ...options, method: 'POST', path: '/v1/media', json: wanted })
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
