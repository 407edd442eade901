import { fromAnswer, LetmepostConnectionError, LetmepostError, LetmepostTimeoutError, reason, unreadable } from './errors.js'
import { randomHex } from './random.js'
import { pause } from './waiting.js'

const RETRIES = 4
const FIRST_DELAY_MS = 250
const LONGEST_DELAY_MS = 8_000
// A server that asks for more than this is better asked by the caller, later.
const LONGEST_RETRY_AFTER_MS = 60_000

/** What any call takes. */
export interface RequestOptions {
  /** Ends the call, its retries and its pauses. */
  signal?: AbortSignal | undefined
  /** For one attempt, in milliseconds. */
  timeoutMs?: number | undefined
  maxRetries?: number | undefined
  /** POST only. Default: a random one for each call, the same for all its attempts. */
  idempotencyKey?: string | undefined
}

/** A body made anew for each attempt. `once`: it cannot be, so the request is sent at most once. */
export interface Body {
  readonly contentType: string
  readonly sizeBytes: number | undefined
  readonly once: boolean
  /** The same as `open()`, where it can be had without reading. */
  readonly whole?: Blob | undefined
  open(): AsyncIterable<Uint8Array>
}

export interface Call extends RequestOptions {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  query?: Record<string, string | number | undefined>
  json?: unknown
  body?: Body
  /** PUT only: bytes of an upload in pieces, of which 308 is a good answer. */
  piece?: Uint8Array | Blob | undefined
  headers?: Record<string, string>
  /** Seconds the server may take to settle it (`Prefer: wait`). */
  waitS?: number | undefined
}

/** Status 0: a redirect or 308 that the browser shows to nobody. */
export interface Answer {
  status: number
  headers: Headers
  json: unknown
}

interface Config {
  apiKey: string
  baseURL: string
  timeoutMs: number
  maxRetries: number | undefined
}

/** Sends requests; repeats those that can be repeated without doing anything twice. */
export class Http {
  readonly #config: Config

  constructor(config: Config) {
    this.#config = config
  }

  /** The JSON of a 2xx answer, undefined where it has no body. Throws LetmepostError, or the signal's reason. */
  async send<T>(call: Call): Promise<T> {
    return (await this.exchange(call)).json as T
  }

  /** The whole answer. Throws as `send` does. */
  async exchange(call: Call): Promise<Answer> {
    const headers = await this.#headers(call)
    const retries = call.body?.once ? 0 : this.retries(call.maxRetries, RETRIES)
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#attempt(call, headers)
      } catch (error) {
        if (!(error instanceof LetmepostError)) throw error
        // The first attempt did it, and only its answer was lost.
        if (attempt > 0 && call.method === 'DELETE' && error.status === 404) return { status: 204, headers: new Headers(), json: undefined }
        if (attempt >= retries || !passing(error)) throw error
        await pause(delayMs(error, attempt), call.signal)
      }
    }
  }

  /** How often to repeat: what the call says, else the client, else `usual`. */
  retries(given: number | undefined, usual: number): number {
    return given ?? this.#config.maxRetries ?? usual
  }

  async #headers(call: Call): Promise<Headers> {
    const headers = new Headers({ ...call.headers, accept: 'application/json', authorization: `Bearer ${this.#config.apiKey}` })
    if (call.method === 'POST') headers.set('idempotency-key', call.idempotencyKey ?? (await randomHex()))
    if (call.waitS !== undefined) headers.set('prefer', `wait=${call.waitS}`)
    if (call.body) headers.set('content-type', call.body.contentType)
    else if (call.piece) headers.set('content-type', 'application/octet-stream')
    else if (call.json !== undefined) headers.set('content-type', 'application/json')
    if (call.body?.sizeBytes !== undefined && !call.body.whole) headers.set('content-length', String(call.body.sizeBytes))
    return headers
  }

  async #attempt(call: Call, headers: Headers): Promise<Answer> {
    call.signal?.throwIfAborted()
    const timeoutMs = call.timeoutMs ?? this.#config.timeoutMs
    const ending = new AbortController()
    const late = new LetmepostTimeoutError(`No answer within ${timeoutMs} ms.`, { code: 'timeout' })
    const timer = setTimeout(() => ending.abort(late), timeoutMs)
    const abort = () => ending.abort(call.signal?.reason)
    call.signal?.addEventListener('abort', abort, { once: true })
    let broken: LetmepostError | undefined
    try {
      const answer = await fetch(this.#url(call), {
        method: call.method,
        headers,
        signal: ending.signal,
        // A key goes to the host it was meant for, and nowhere else.
        redirect: 'manual',
        ...payload(call, (error) => { broken = error }),
      } as RequestInit)
      const text = await answer.text()
      const { status } = answer
      const goesOn = call.method === 'PUT' && (status === 308 || answer.type === 'opaqueredirect')
      if (!answer.ok && !goesOn) throw fromAnswer(status, answer.headers, text)
      return { status, headers: answer.headers, json: text === '' || goesOn ? undefined : json(text, answer) }
    } catch (error) {
      if (call.signal?.aborted) throw call.signal.reason
      if (ending.signal.aborted) throw late
      if (error instanceof LetmepostError) throw error
      throw broken ?? new LetmepostConnectionError(reason(error), { code: 'connection_failed', cause: error })
    } finally {
      clearTimeout(timer)
      call.signal?.removeEventListener('abort', abort)
    }
  }

  #url(call: Call): string {
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries(call.query ?? {})) if (value !== undefined) query.set(name, String(value))
    return `${this.#config.baseURL}${call.path}${query.toString() && `?${query}`}`
  }
}

/** Request init of the body. `onBroken` is told of a source that fails. */
function payload(call: Call, onBroken: (error: LetmepostError) => void): object {
  if (call.piece) return { body: call.piece }
  if (call.body?.whole) return { body: call.body.whole }
  if (!call.body) return call.json === undefined ? {} : { body: JSON.stringify(call.json) }
  const source = call.body.open()[Symbol.asyncIterator]()
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await source.next()
        if (done) controller.close()
        else controller.enqueue(value)
      } catch (error) {
        const broken = unreadable(error)
        onBroken(broken)
        controller.error(broken)
      }
    },
    async cancel() {
      await source.return?.()
    },
  })
  return { body: stream, duplex: 'half' }
}

function json(text: string, answer: Response): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new LetmepostError('The answer is not JSON.', { status: answer.status, code: 'answer_invalid', cause })
  }
}

/** Whether the same request may do better later. Every POST carries its idempotency key, so none is done twice. */
export function passing(error: LetmepostError): boolean {
  if (error instanceof LetmepostConnectionError || error instanceof LetmepostTimeoutError) return true
  if (error.code === 'idempotency_in_progress') return true
  // Other uploads end within seconds; what is stored, or was published in a month, stays.
  if (error.code === 'quota_exceeded' && error.details['quota'] !== 'uploads') return false
  if ((error.retryAfterMs ?? 0) > LONGEST_RETRY_AFTER_MS) return false
  return error.status === 429 || error.status >= 500
}

/** How long to wait before the next attempt, the first being 0. */
export function delayMs(error: LetmepostError, attempt: number): number {
  const backoff = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt) * (0.5 + Math.random() / 2)
  return Math.max(error.retryAfterMs ?? 0, backoff)
}
