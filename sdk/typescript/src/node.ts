import { webcrypto } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { basename } from 'node:path'

import { LetmepostError, unreadable } from './errors.js'
import type { Source } from './files.js'

/** Node.js 18 has no global one. */
export const crypto = webcrypto

/** A file on disk. Throws LetmepostError `file_unreadable`. */
export async function fromPath(path: string): Promise<Source> {
  let sizeBytes: number
  try {
    const info = await stat(path)
    if (!info.isFile()) throw new Error('it is not a file')
    sizeBytes = info.size
  } catch (cause) {
    throw unreadable(cause, path)
  }
  return {
    filename: basename(path),
    sizeBytes,
    once: false,
    open: () => createReadStream(path),
    async reader() {
      const file = await open(path).catch((cause: unknown) => { throw unreadable(cause, path) })
      return {
        async read(offset, length) {
          const piece = Buffer.allocUnsafe(length)
          for (let filled = 0; filled < length; ) {
            const { bytesRead } = await file.read(piece, filled, length - filled, offset + filled).catch((cause: unknown) => {
              throw unreadable(cause, path)
            })
            if (bytesRead === 0) throw new LetmepostError(`${path} became shorter while it was read.`, { code: 'file_unreadable' })
            filled += bytesRead
          }
          return piece
        },
        close: () => file.close(),
      }
    },
  }
}
