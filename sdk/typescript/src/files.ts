import { LetmepostError } from './errors.js'
import type { Body } from './http.js'
import { randomHex } from './random.js'
import { streamReader } from './streams.js'
import type { Reader } from './streams.js'

/** A path, bytes, a Blob or File, or a stream of bytes (web or Node). A stream is read once. */
export type FileInput = string | Uint8Array | ArrayBuffer | Blob | AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>

/** What is to be uploaded. `once`: it can be read only once. `sizeBytes` is undefined where nobody knows. */
export interface Source {
  filename: string
  sizeBytes: number | undefined
  once: boolean
  /** Where it is in memory anyway, or the browser's to read. */
  blob?: () => Blob
  open(): AsyncIterable<Uint8Array>
  /** For pieces; the caller closes it. */
  reader(): Promise<Reader>
}

/** `sizeBytes` is believed of a stream only. Throws LetmepostError `file_invalid` or `file_unreadable`. */
export async function sourceOf(file: FileInput, sizeBytes?: number): Promise<Source> {
  if (typeof file === 'string') {
    // A browser that was given these modules without a bundler cannot load the first.
    const { fromPath } = await import('./node.js').catch(() => import('./browser.js'))
    return fromPath(file)
  }
  if (file instanceof ArrayBuffer) return fromBytes(new Uint8Array(file))
  if (file instanceof Uint8Array) return fromBytes(file)
  if (file instanceof Blob) return fromBlob(file)
  // JavaScript callers may pass anything, whatever the type says.
  if (typeof file === 'object' && file !== null && (Symbol.asyncIterator in file || 'getReader' in file)) {
    const path = (file as { path?: unknown }).path
    const filename = (typeof path === 'string' && path.split(/[\\/]/).pop()) || 'upload'
    const open = () => pieces(file)
    return { filename, sizeBytes, once: true, open, reader: async () => streamReader(open(), sizeBytes) }
  }
  throw new LetmepostError('file is none of path, bytes, Blob and stream.', { code: 'file_invalid' })
}

/** multipart/form-data (RFC 7578) with the fields first and the file last. */
export async function form(source: Source, fields: Record<string, string | undefined>, filename: string): Promise<Body> {
  const boundary = `letmepost-${await randomHex()}`
  const given = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined)
  const head = new TextEncoder().encode(
    given.map(([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`).join('') +
      `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${escaped(filename)}"\r\n` +
      'Content-Type: application/octet-stream\r\n\r\n',
  )
  const tail = new TextEncoder().encode(`\r\n--${boundary}--\r\n`)
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    sizeBytes: source.sizeBytes === undefined ? undefined : head.length + source.sizeBytes + tail.length,
    once: source.once,
    // Not every browser sends streams; all send Blobs.
    whole: source.blob && new Blob([head, source.blob(), tail]),
    async *open() {
      yield head
      yield* source.open()
      yield tail
    },
  }
}

function fromBlob(blob: Blob): Source {
  const name = (blob as { name?: unknown }).name
  return {
    filename: typeof name === 'string' && name ? name : 'upload',
    sizeBytes: blob.size,
    once: false,
    blob: () => blob,
    open: () => pieces(blob.stream() as ReadableStream<Uint8Array>),
    reader: async () => ({ read: async (offset, length) => blob.slice(offset, offset + length), close: async () => {} }),
  }
}

function fromBytes(bytes: Uint8Array): Source {
  async function* open() {
    yield bytes
  }
  return {
    filename: 'upload',
    sizeBytes: bytes.byteLength,
    once: false,
    blob: () => new Blob([bytes]),
    open,
    reader: async () => ({ read: async (offset, length) => bytes.subarray(offset, offset + length), close: async () => {} }),
  }
}

/** A stream's pieces. Node 18's web streams are async iterables; others may only have a reader. */
async function* pieces(stream: AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>): AsyncIterable<Uint8Array> {
  if (Symbol.asyncIterator in stream) {
    for await (const piece of stream as AsyncIterable<Uint8Array | string>) {
      yield typeof piece === 'string' ? new TextEncoder().encode(piece) : piece
    }
    return
  }
  const reader = (stream as ReadableStream<Uint8Array>).getReader()
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value
  } finally {
    await reader.cancel()
  }
}

/** As browsers write a name: RFC 7578 §4.2 by way of the HTML standard. */
function escaped(name: string): string {
  return name.replace(/"/g, '%22').replace(/\r/g, '%0D').replace(/\n/g, '%0A')
}
