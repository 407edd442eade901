import { LetmepostError, unreadable } from './errors.js'

/** Reads pieces of a file; offset and length in bytes. Throws LetmepostError `file_unreadable` or `file_invalid`. */
export interface Reader {
  read(offset: number, length: number): Promise<Uint8Array | Blob>
  close(): Promise<void>
}

/** Over a stream, which goes forward only: what was read from the newest offset on is kept, to be sent again. */
export function streamReader(stream: AsyncIterable<Uint8Array>, sizeBytes: number | undefined): Reader {
  const source = stream[Symbol.asyncIterator]()
  let chunks: Uint8Array[] = []
  let start = 0
  let end = 0
  let done = false

  function drop(offset: number): void {
    for (let first = chunks[0]; first && start < offset; first = chunks[0]) {
      const gone = Math.min(first.length, offset - start)
      if (gone === first.length) chunks.shift()
      else chunks[0] = first.subarray(gone)
      start += gone
    }
  }

  return {
    async read(offset, length) {
      if (offset < start) throw new LetmepostError('The stream is past what is to be sent.', { code: 'file_unreadable' })
      const until = offset + length
      drop(offset)
      // One byte further at the end, to see that it is the end.
      while (!done && end < (until === sizeBytes ? until + 1 : until)) {
        const next = await source.next().catch((cause: unknown) => { throw unreadable(cause) })
        if (next.done) done = true
        else if (next.value.length > 0) {
          chunks.push(next.value)
          end += next.value.length
          drop(offset)
        }
      }
      const wrong = end < until || (sizeBytes !== undefined && end > sizeBytes)
      if (wrong) throw new LetmepostError(`The stream has not the ${sizeBytes} bytes it was said to have.`, { code: 'file_invalid' })
      return joined(chunks, length)
    },
    async close() {
      chunks = []
      if (!done) await source.return?.()
    },
  }
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const piece = new Uint8Array(length)
  let filled = 0
  for (const chunk of chunks) {
    if (filled === length) break
    const part = chunk.subarray(0, length - filled)
    piece.set(part, filled)
    filled += part.length
  }
  return piece
}
