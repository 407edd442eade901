import assert from 'node:assert/strict'
import test from 'node:test'

import { Letmepost, LetmepostError, verifyWebhook } from '@letmepost/sdk'
import { Webhook } from 'standardwebhooks'

import { serve } from './server.mjs'

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const OTHER = `whsec_${Buffer.alloc(32, 8).toString('base64')}`
const EVENT = { id: 'evt_1', type: 'media.ready', createdAt: '2026-11-25T09:30:00.000Z', workspaceId: 'ws_1', data: { filename: 'Grüße 😀' } }
const BODY = JSON.stringify(EVENT)

/** Signed by the library that receivers use, not by ours. */
function headers({ secret = SECRET, ageS = 0, id = 'evt_1' } = {}) {
  const at = new Date(Date.now() - ageS * 1000)
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, at, BODY),
  }
}

const invalid = (error) => error instanceof LetmepostError && error.code === 'webhook_invalid'

test('an event is read in whatever form body and headers come', async () => {
  assert.deepEqual(await verifyWebhook(BODY, headers(), SECRET), EVENT)
  assert.deepEqual(await verifyWebhook(Buffer.from(BODY), new Headers(headers()), SECRET), EVENT)
  const shouted = Object.fromEntries(Object.entries(headers()).map(([name, value]) => [name.toUpperCase(), [value]]))
  assert.deepEqual(await verifyWebhook(BODY, shouted, SECRET), EVENT)
})

test('one of several signatures is enough, in any place', async () => {
  const [ours, others] = [headers(), headers({ secret: OTHER })]
  for (const pair of [[ours, others], [others, ours]]) {
    const both = { ...ours, 'webhook-signature': `v1a,unknown ${pair.map((it) => it['webhook-signature']).join(' ')}` }
    assert.deepEqual(await verifyWebhook(BODY, both, SECRET), EVENT)
    assert.deepEqual(await verifyWebhook(BODY, both, OTHER), EVENT)
  }
})

test('what is too old, or from the future, is refused', async () => {
  for (const ageS of [301, -302]) await assert.rejects(verifyWebhook(BODY, headers({ ageS }), SECRET), invalid)
  for (const ageS of [295, -295]) assert.deepEqual(await verifyWebhook(BODY, headers({ ageS }), SECRET), EVENT)
  assert.deepEqual(await verifyWebhook(BODY, headers({ ageS: 3_000 }), SECRET, { toleranceS: 3_600 }), EVENT)
})

test('another secret, id, time or body is refused, as is any flipped bit', async () => {
  await assert.rejects(verifyWebhook(BODY, headers({ secret: OTHER }), SECRET), invalid)
  await assert.rejects(verifyWebhook(BODY, { ...headers(), 'webhook-id': 'evt_2' }, SECRET), invalid)
  const later = String(Number(headers()['webhook-timestamp']) + 1)
  await assert.rejects(verifyWebhook(BODY, { ...headers(), 'webhook-timestamp': later }, SECRET), invalid)
  const bytes = Buffer.from(BODY)
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const flipped = Buffer.from(bytes)
    flipped[bit >> 3] ^= 1 << (bit & 7)
    await assert.rejects(verifyWebhook(flipped, headers(), SECRET), invalid)
  }
})

test('headers that are missing or malformed are refused', async () => {
  for (const name of Object.keys(headers())) {
    for (const value of [undefined, '', 'x', 'v1', 'v1,', 'v1,%%%', '1e9', '-1']) {
      await assert.rejects(verifyWebhook(BODY, { ...headers(), [name]: value }, SECRET), invalid, `${name}: ${value}`)
    }
  }
})

test('what is no secret is told apart, and not repeated', async () => {
  for (const secret of ['', 'whsec_', 'whsec_%%', 'lmp_test_abc']) {
    await assert.rejects(verifyWebhook(BODY, headers(), secret), (error) => {
      return error.code === 'webhook_secret_invalid' && (secret === '' || !error.message.includes(secret))
    })
  }
})

test('every route of endpoints is called as the reference says', async (t) => {
  const server = await serve({ json: {} })
  t.after(server.close)
  const { webhooks } = new Letmepost({ apiKey: 'lmp_test_k', baseURL: server.url })
  const wanted = { url: 'https://example.com/', events: ['media.ready'] }
  await webhooks.create(wanted)
  await webhooks.get('whk_1')
  await webhooks.list({ limit: 5 })
  await webhooks.update('whk_1', { status: 'disabled' })
  await webhooks.delete('whk_1')
  await webhooks.rotateSecret('whk_1')
  await webhooks.test('whk_1', { waitS: 5 })
  await webhooks.deliveries('whk_1', { status: 'failed' })
  await webhooks.replay('whk_1', 'dlv/1')
  assert.deepEqual(server.requests.map(({ method, url }) => `${method} ${url}`), [
    'POST /v1/webhook-endpoints', 'GET /v1/webhook-endpoints/whk_1', 'GET /v1/webhook-endpoints?limit=5',
    'PATCH /v1/webhook-endpoints/whk_1', 'DELETE /v1/webhook-endpoints/whk_1', 'POST /v1/webhook-endpoints/whk_1/rotate-secret',
    'POST /v1/webhook-endpoints/whk_1/test', 'GET /v1/webhook-endpoints/whk_1/deliveries?status=failed',
    'POST /v1/webhook-endpoints/whk_1/deliveries/dlv%2F1/replay',
  ])
  assert.deepEqual(JSON.parse(server.requests[0].body), wanted)
  assert.deepEqual(JSON.parse(server.requests[3].body), { status: 'disabled' })
  assert.equal(server.requests[6].headers.prefer, 'wait=5')
})
