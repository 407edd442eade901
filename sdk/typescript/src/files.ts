import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'

import { LetmepostError } from './errors.js'
import type { Body } from './http.js'

/** A path, bytes, a Blob or File, or a stream of bytes (web or Node). A stream is sent once and never retried. */
export type FileInput = string | Uint8Array | ArrayBuffer | Blob | AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>

interface Source {
  filename: string
  sizeBytes: number | undefined
  once: boolean
  open(): AsyncIterable<Uint8Array>
}

/** multipart/form-data (RFC 7578) with the fields first and the file last. */
export async function form(file: FileInput, fields: Record<string, string | undefined>, filename?: string): Promise<Body> {
  const source = await sourceOf(file)
  const boundary = `letmepost-${randomBytes(18).toString('hex')}`
  const given = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined)
  const head = Buffer.from(
    given.map(([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`).join('') +
      `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${escaped(filename ?? source.filename)}"\r\n` +
      'Content-Type: application/octet-stream\r\n\r\n',
  )
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`)
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    sizeBytes: source.sizeBytes === undefined ? undefined : head.length + source.sizeBytes + tail.length,
    once: source.once,
    async *open() {
      yield head
      yield* source.open()
      yield tail
    },
  }
}

async function sourceOf(file: FileInput): Promise<Source> {
  if (typeof file === 'string') return fromPath(file)
  if (file instanceof ArrayBuffer) return fromBytes(new Uint8Array(file))
  if (file instanceof Uint8Array) return fromBytes(file)
  if (file instanceof Blob) {
    const name = (file as { name?: unknown }).name
    const filename = typeof name === 'string' && name ? name : 'upload'
    return { filename, sizeBytes: file.size, once: false, open: () => pieces(file.stream() as ReadableStream<Uint8Array>) }
  }
  // JavaScript callers may pass anything, whatever the type says.
  if (typeof file === 'object' && file !== null && (Symbol.asyncIterator in file || 'getReader' in file)) {
    const path = (file as { path?: unknown }).path
    const filename = typeof path === 'string' && path ? basename(path) : 'upload'
    return { filename, sizeBytes: undefined, once: true, open: () => pieces(file) }
  }
  throw new LetmepostError('file is none of path, bytes, Blob and stream.', { code: 'file_invalid' })
}

async function fromPath(path: string): Promise<Source> {
  let sizeBytes: number
  try {
    const info = await stat(path)
    if (!info.isFile()) throw new Error('it is not a file')
    sizeBytes = info.size
  } catch (cause) {
    throw new LetmepostError(`${path} cannot be read: ${(cause as Error).message}`, { code: 'file_unreadable', cause })
  }
  return { filename: basename(path), sizeBytes, once: false, open: () => createReadStream(path) }
}

function fromBytes(bytes: Uint8Array): Source {
  async function* open() {
    yield bytes
  }
  return { filename: 'upload', sizeBytes: bytes.byteLength, once: false, open }
}

/** A stream's pieces. Node 18's web streams are async iterables; others may only have a reader. */
async function* pieces(stream: AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>): AsyncIterable<Uint8Array> {
  if (Symbol.asyncIterator in stream) {
    for await (const piece of stream as AsyncIterable<Uint8Array | string>) {
      yield typeof piece === 'string' ? Buffer.from(piece) : piece
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
