import { LetmepostError } from './errors.js'
import { webCrypto } from './random.js'

const TOLERANCE_S = 300

/** What an endpoint is told. `data` is described for each `type` in docs/webhooks.md. */
export interface WebhookEvent {
  /** The same over all attempts: keep those you have handled. */
  id: string
  /** E.g. `media.ready`. */
  type: string
  createdAt: string
  workspaceId: string
  data: Record<string, unknown>
}

/** Of `Request`, or of Node's `IncomingMessage`. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>

export interface VerifyOptions {
  /** How far the sender's clock and ours may be apart, in seconds. Default 300. */
  toleranceS?: number | undefined
}

/**
 * The event, if it is ours and fresh.
 *
 * `body`: as it came, before anything parses it. `secret`: the endpoint's, `whsec_…`.
 * Throws LetmepostError `webhook_invalid`.
 */
export async function verifyWebhook(
  body: string | Uint8Array, headers: WebhookHeaders, secret: string, { toleranceS = TOLERANCE_S }: VerifyOptions = {},
): Promise<WebhookEvent> {
  const [id, stamp, signatures] = ['id', 'timestamp', 'signature'].map((name) => header(headers, `webhook-${name}`))
  if (!id || !stamp || !signatures) throw invalid('A header is missing.')
  if (!/^\d{1,12}$/.test(stamp) || !(Math.abs(Date.now() / 1000 - Number(stamp)) <= toleranceS)) throw invalid('It is too old, or from the future.')
  const text = typeof body === 'string' ? new TextEncoder().encode(body) : body
  const head = new TextEncoder().encode(`${id}.${stamp}.`)
  const signed = new Uint8Array(head.length + text.length)
  signed.set(head)
  signed.set(text, head.length)
  const crypto = await webCrypto()
  const key = await crypto.subtle.importKey('raw', keyOf(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify'])
  for (const signature of signatures.split(' ')) {
    const bytes = signature.startsWith('v1,') ? decoded(signature.slice(3)) : undefined
    // In constant time.
    if (bytes && (await crypto.subtle.verify('HMAC', key, bytes, signed))) return JSON.parse(new TextDecoder().decode(text)) as WebhookEvent
  }
  throw invalid('No signature agrees.')
}

function header(headers: WebhookHeaders, name: string): string | undefined {
  if (isHeaders(headers)) return headers.get(name) ?? undefined
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1]
  return typeof found === 'object' ? found.join(' ') : found
}

/** Any of them: a program may bring its own. */
function isHeaders(headers: WebhookHeaders): headers is Headers {
  return typeof headers.get === 'function'
}

function keyOf(secret: string): Uint8Array {
  const key = secret.startsWith('whsec_') ? decoded(secret.slice(6)) : undefined
  if (!key?.length) throw new LetmepostError('That is no webhook secret.', { code: 'webhook_secret_invalid', remediation: 'Give the endpoint’s whsec_….' })
  return key
}

function decoded(base64: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
  } catch {
    return undefined // Not base64: nothing it could agree with.
  }
}

function invalid(why: string): LetmepostError {
  return new LetmepostError(`The webhook is not genuine: ${why}`, { code: 'webhook_invalid', remediation: 'Refuse it.' })
}
