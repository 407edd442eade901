import type { webcrypto } from 'node:crypto'

import { LetmepostError } from './errors.js'
import type { Source } from './files.js'

// Bundlers for browsers take this module in place of node.ts: see "browser" in package.json.

export const crypto = (globalThis as unknown as { crypto: webcrypto.Crypto }).crypto

/** Browsers have no paths. Throws LetmepostError `file_invalid`. */
export async function fromPath(path: string): Promise<Source> {
  throw new LetmepostError(`${path} is a path, and there is no disk here: pass a File or Blob.`, { code: 'file_invalid' })
}
