import { LetmepostError } from './errors.js'
import type { Source } from './files.js'
import { delayMs, passing } from './http.js'
import type { Answer, Http, RequestOptions } from './http.js'
import type { Reader } from './streams.js'
import type { CreateUploadRequest, Media, Upload } from './types.js'
import { pause } from './waiting.js'

const PIECE_BYTES = 8 * 1024 * 1024
// With the longest pauses, about a minute without a network.
const RETRIES = 10
// Another request was taken for the writer, or the line is slow: what came is kept.
const KEPT = ['upload_locked', 'upload_stalled', 'upload_offset_conflict', 'upload_complete']

export interface Progress {
  /** Of the file. In a session: what the service has stored for good. */
  sentBytes: number
  /** Undefined for a stream of unknown size. */
  totalBytes: number | undefined
}

/** An upload that can be resumed, by another process too, until it expires. */
export interface Session {
  uploadId: string
  /** RFC 3339. */
  expiresAt: string
}

export interface SessionOptions extends RequestOptions {
  waitS?: number | undefined
  resumeFrom?: string | undefined
  onProgress?: ((progress: Progress) => void) | undefined
  onSession?: ((session: Session) => void) | undefined
}

/** Uploads piece by piece, and after a fault goes on where the service says. Errors carry the `uploadId`. */
export async function uploadInPieces(
  http: Http, source: Source, request: CreateUploadRequest, options: SessionOptions,
): Promise<Media> {
  const { signal, timeoutMs, maxRetries, idempotencyKey } = options
  const common = { signal, timeoutMs, maxRetries }
  const found = options.resumeFrom
  const upload = found === undefined
    ? await http.send<Upload>({ ...common, idempotencyKey, method: 'POST', path: '/v1/uploads', json: request })
    : await http.send<Upload>({ ...common, method: 'GET', path: path(found) }).catch((error: unknown) => { throw named(error, found) })
  try {
    if (upload.sizeBytes !== request.sizeBytes) {
      throw new LetmepostError(`The file has ${request.sizeBytes} bytes, the upload ${upload.sizeBytes}.`, {
        code: 'resume_mismatch',
        details: { sizeBytes: request.sizeBytes, expected: upload.sizeBytes },
        remediation: 'Resume with the same file, or begin anew without resumeFrom.',
      })
    }
    options.onSession?.({ uploadId: upload.id, expiresAt: upload.expiresAt })
    const reader = await source.reader()
    try {
      // Of an upload begun elsewhere, only an answer to a PUT is sure to have ended its older writer.
      return await new Sending(http, upload, reader, options).run(found === undefined ? upload.offset : undefined)
    } finally {
      await reader.close()
    }
  } catch (error) {
    throw named(error, upload.id)
  }
}

class Sending {
  readonly #http: Http
  readonly #upload: Upload
  readonly #reader: Reader
  readonly #options: SessionOptions
  readonly #pieceBytes: number

  constructor(http: Http, upload: Upload, reader: Reader, options: SessionOptions) {
    this.#http = http
    this.#upload = upload
    this.#reader = reader
    this.#options = options
    this.#pieceBytes = Math.ceil(PIECE_BYTES / upload.chunkAlignment) * upload.chunkAlignment
  }

  /** From an offset, or where that is not known, from the one the service tells. */
  async run(from: number | undefined): Promise<Media> {
    const { signal } = this.#options
    const retries = this.#http.retries(this.#options.maxRetries, RETRIES)
    let offset = from
    let stored = from ?? -1
    for (let failures = 0; ; ) {
      let error: LetmepostError
      try {
        const told: Media | number = await this.#put(offset)
        this.#progress(typeof told === 'number' ? told : this.#upload.sizeBytes)
        if (typeof told !== 'number') return told
        const asked = offset === undefined
        const advances = told > stored
        offset = told
        stored = Math.max(stored, told)
        if (advances) failures = 0
        if (asked || advances) continue
        error = new LetmepostError('The upload does not advance.', { code: 'answer_invalid' })
      } catch (caught) {
        if (!(caught instanceof LetmepostError) || !(passing(caught) || KEPT.includes(caught.code))) throw caught
        error = caught
        offset = undefined
      }
      if (failures >= retries) throw error
      await pause(delayMs(error, failures), signal)
      failures += 1
    }
  }

  /** Sends the piece at an offset, or asks. The media item, or how many bytes are stored. */
  async #put(offset: number | undefined): Promise<Media | number> {
    const { id, sizeBytes } = this.#upload
    const { signal, timeoutMs, waitS } = this.#options
    const call = { signal, timeoutMs, waitS, path: path(id), maxRetries: 0 }
    let range = `bytes */${sizeBytes}`
    let piece: Uint8Array | Blob | undefined
    if (offset !== undefined && offset < sizeBytes) {
      signal?.throwIfAborted()
      const length = Math.min(this.#pieceBytes, sizeBytes - offset)
      piece = await this.#reader.read(offset, length)
      range = `bytes ${offset}-${offset + length - 1}/${sizeBytes}`
    }
    const answer = await this.#http.exchange({ ...call, method: 'PUT', piece, headers: { 'content-range': range } })
    if (answer.status === 200) return answer.json as Media
    if (answer.status === 308) return storedBytes(answer, sizeBytes)
    // Browsers hide a 308 from scripts; what it said can be asked for.
    return (await this.#http.send<Upload>({ ...call, method: 'GET' })).offset
  }

  #progress(sentBytes: number): void {
    this.#options.onProgress?.({ sentBytes, totalBytes: this.#upload.sizeBytes })
  }
}

/** Of `Range: bytes=0-n`, which is missing before the first byte. */
function storedBytes(answer: Answer, sizeBytes: number): number {
  const range = answer.headers.get('range')
  if (range === null) return 0
  const last = /^bytes=0-(\d{1,15})$/.exec(range)?.[1]
  if (last === undefined || Number(last) >= sizeBytes) {
    throw new LetmepostError(`The answer's Range is ${range}.`, { status: 308, code: 'answer_invalid' })
  }
  return Number(last) + 1
}

function named(error: unknown, uploadId: string): unknown {
  if (error instanceof LetmepostError) error.uploadId = uploadId
  return error
}

function path(id: string): string {
  return `/v1/uploads/${encodeURIComponent(id)}`
}
