import type { webcrypto } from 'node:crypto'

/** 128 random bits in hex. In a browser too, and there without https. */
export async function randomHex(): Promise<string> {
  const known = (globalThis as { crypto?: webcrypto.Crypto }).crypto
  const crypto = known ?? (await import('./node.js')).crypto
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
