/** One field of a request and what is wrong with it. */
export interface FieldError {
  field: string
  message: string
}

interface Facts {
  status?: number
  code: string
  requestId?: string | undefined
  details?: Record<string, unknown>
  remediation?: string | undefined
  errors?: FieldError[]
  retryAfterMs?: number | undefined
  cause?: unknown
}

/** What the API answered instead of what was asked for, or why there is no answer. Branch on `code`. */
export class LetmepostError extends Error {
  /** HTTP status; 0 where there was no answer to blame. */
  readonly status: number
  /** Stable, lower_snake: `media_rejected_security`, `post_invalid`, … */
  readonly code: string
  /** What support wants to know. */
  readonly requestId: string | undefined
  /** Values behind the message: `limit`, `threat`, … */
  readonly details: Readonly<Record<string, unknown>>
  /** What to do about it. */
  readonly remediation: string | undefined
  /** Each offending field of the request. */
  readonly errors: readonly FieldError[]
  /** How long the server asked to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined
  /** Of an upload in pieces that did not end: `resumeFrom` goes on with it, unless `code` says that it is no more. */
  uploadId: string | undefined

  constructor(message: string, facts: Facts) {
    super(message, { cause: facts.cause })
    this.name = new.target.name
    this.status = facts.status ?? 0
    this.code = facts.code
    this.requestId = facts.requestId
    this.details = facts.details ?? {}
    this.remediation = facts.remediation
    this.errors = facts.errors ?? []
    this.retryAfterMs = facts.retryAfterMs
  }
}

/** The server was not reached, or the connection broke before the whole answer came. */
export class LetmepostConnectionError extends LetmepostError {}

/** Something took longer than it may. */
export class LetmepostTimeoutError extends LetmepostError {}

/** A source that fails is the caller's fault, not the connection's. */
export function unreadable(cause: unknown, what = 'The file'): LetmepostError {
  if (cause instanceof LetmepostError) return cause
  return new LetmepostError(`${what} cannot be read: ${reason(cause)}`, { code: 'file_unreadable', cause })
}

/** What an error says, or rather what is behind it. */
export function reason(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message || cause.name : String(cause)
}

/** The error behind an answer that is not 2xx. */
export function fromAnswer(status: number, headers: Headers, body: string): LetmepostError {
  const problem = record(parsed(body))
  const error = record(problem['error'])
  const message = text(error['message']) ?? text(problem['detail']) ?? `The server answered ${status}.`
  return new LetmepostError(message, {
    status,
    code: text(error['code']) ?? `http_${status}`,
    requestId: text(error['requestId']) ?? headers.get('x-request-id') ?? undefined,
    details: record(error['details']),
    remediation: text(error['remediation']),
    errors: Array.isArray(problem['errors']) ? (problem['errors'] as FieldError[]) : [],
    retryAfterMs: retryAfterMs(headers.get('retry-after')),
  })
}

/** Retry-After (seconds or a date, RFC 9110 §10.2.3) in milliseconds. */
export function retryAfterMs(value: string | null, now = Date.now()): number | undefined {
  if (value === null) return undefined
  if (/^\d+$/.test(value)) return Number(value) * 1000
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined // A proxy's page, not ours: the status says it all.
  }
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
