import type { webcrypto } from 'node:crypto'

/** The platform's own cryptography. In a browser too; there without https it has no `subtle`. */
export async function webCrypto(): Promise<webcrypto.Crypto> {
  const known = (globalThis as { crypto?: webcrypto.Crypto }).crypto
  return known ?? (await import('./node.js')).crypto
}

/** 128 random bits in hex. */
export async function randomHex(): Promise<string> {
  const crypto = await webCrypto()
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
