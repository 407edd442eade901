import { LetmepostTimeoutError } from './errors.js'

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 3_000

export interface WaitOptions {
  signal?: AbortSignal | undefined
  /** For the whole wait, in milliseconds. Default 300,000. */
  timeoutMs?: number | undefined
}

/** Sleep; throws the signal's reason as soon as it is aborted. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const abort = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, milliseconds)
    signal?.addEventListener('abort', abort, { once: true })
  })
}

/** Ask until `settled`; throws LetmepostTimeoutError `wait_timeout`. */
export async function until<T>(ask: () => Promise<T>, settled: (value: T) => boolean, options: WaitOptions): Promise<T> {
  const timeoutMs = options.timeoutMs ?? 300_000
  const end = Date.now() + timeoutMs
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 1.5)) {
    const value = await ask()
    if (settled(value)) return value
    if (Date.now() + pauseMs > end) {
      throw new LetmepostTimeoutError(`Not settled within ${timeoutMs} ms.`, { code: 'wait_timeout' })
    }
    await pause(pauseMs, options.signal)
  }
}
