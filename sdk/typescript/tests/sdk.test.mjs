import assert from 'node:assert/strict'
import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import test from 'node:test'

import { Letmepost, LetmepostConnectionError, LetmepostError, LetmepostTimeoutError } from '@letmepost/sdk'

import { problem, serve } from './server.mjs'

const MEDIA = { id: 'med_1', kind: 'image', status: 'ready', error: null }
const BYTES = Buffer.from([0xff, 0xd8, 0, 13, 10, 45, 45, 0xff])

async function against(t, answers, options = {}) {
  const server = await serve(...answers)
  t.after(server.close)
  return { ...server, lmp: new Letmepost({ apiKey: 'lmp_test_k', baseURL: server.url, ...options }) }
}

/** Parses a form with the platform's own parser, not with ours. */
async function formOf({ headers, body }) {
  const data = await new Response(body, { headers: { 'content-type': headers['content-type'] } }).formData()
  const file = data.get('file')
  return { kind: data.get('kind'), altText: data.get('altText'), name: file.name, bytes: Buffer.from(await file.arrayBuffer()) }
}

test('both builds are there and are the same thing', () => {
  const required = createRequire(import.meta.url)('@letmepost/sdk')
  assert.deepEqual(Object.keys(required).sort(), ['Letmepost', 'LetmepostConnectionError', 'LetmepostError', 'LetmepostTimeoutError', 'verifyWebhook'])
})

test('there are no runtime dependencies', async () => {
  const { dependencies } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'))
  assert.equal(dependencies, undefined)
})

test('only one module needs Node, and bundlers for browsers know what to take in its place', async () => {
  const { browser } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'))
  for (const format of ['esm', 'cjs']) {
    const folder = new URL(`../dist/${format}/`, import.meta.url)
    const modules = (await readdir(folder)).filter((name) => name.endsWith('.js'))
    const needing = []
    for (const name of modules) if (/["']node:/.test(await readFile(new URL(name, folder), 'utf8'))) needing.push(name)
    assert.deepEqual(needing, ['node.js'])
    assert.equal(browser[`./dist/${format}/node.js`], `./dist/${format}/browser.js`)
    assert.ok(modules.includes('browser.js'))
  }
})

test('key and host come from the environment when they are not given', async (t) => {
  const server = await serve({ json: MEDIA })
  const before = { ...process.env }
  t.after(async () => { process.env = before; await server.close() })
  Object.assign(process.env, { LMP_API_KEY: 'lmp_test_env', LMP_BASE_URL: `${server.url}/` })
  await new Letmepost().media.get('med_1')
  assert.equal(server.requests[0].headers.authorization, 'Bearer lmp_test_env')
  delete process.env.LMP_API_KEY
  assert.throws(() => new Letmepost(), { code: 'api_key_missing' })
  assert.throws(() => new Letmepost({ apiKey: 'k', baseURL: 'localhost' }), { code: 'base_url_invalid' })
})

test('every kind of file arrives whole, in a well-formed form', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lmp-sdk-'))
  t.after(() => rm(folder, { recursive: true }))
  const path = join(folder, 'photo.jpg')
  await writeFile(path, BYTES)
  const array = BYTES.buffer.slice(BYTES.byteOffset, BYTES.byteOffset + BYTES.length)
  const cases = {
    path: [path, 'photo.jpg'],
    buffer: [BYTES, 'upload'],
    'typed array': [new Uint8Array(BYTES), 'upload'],
    'array buffer': [array, 'upload'],
    blob: [new Blob([BYTES]), 'upload'],
    'web stream': [new Blob([BYTES]).stream(), 'upload'],
    'file stream': [createReadStream(path), 'photo.jpg'],
    'node stream': [Readable.from([BYTES.subarray(0, 3), BYTES.subarray(3)]), 'upload'],
  }
  for (const [what, [file, name]] of Object.entries(cases)) {
    const { lmp, requests, close } = await against(t, [{ status: 201, json: MEDIA }])
    const media = await lmp.media.upload({ file, kind: 'image', altText: 'a “b”\r\nc' })
    assert.equal(media.id, 'med_1')
    assert.deepEqual(await formOf(requests[0]), { kind: 'image', altText: 'a “b”\r\nc', name, bytes: BYTES }, what)
    await close()
  }
})

test('sizes that are known are told, and file names cannot break out of their header', async (t) => {
  const { lmp, requests } = await against(t, [{ status: 201, json: MEDIA }])
  await lmp.media.upload({ file: BYTES, filename: 'a"; x="\r\nX-Evil: 1.jpg', waitS: 3 })
  assert.equal(Number(requests[0].headers['content-length']), requests[0].body.length)
  assert.equal(requests[0].headers.prefer, 'wait=3')
  assert.match(requests[0].body.toString('latin1'), /filename="a%22; x=%22%0D%0AX-Evil: 1\.jpg"\r\n/)
})

test('an upload is repeated with the same key and the same bytes', async (t) => {
  const passing = [{ hangUp: true }, problem(503, 'scanner_unavailable', { headers: { 'retry-after': '0' } }), { status: 500, text: 'oops' }]
  const { lmp, requests } = await against(t, [...passing, { status: 201, json: MEDIA }])
  await lmp.media.upload({ file: BYTES })
  assert.equal(requests.length, 4)
  assert.equal(new Set(requests.map(({ headers }) => headers['idempotency-key'])).size, 1)
  for (const request of requests) assert.deepEqual((await formOf(request)).bytes, BYTES)
})

test('two calls have two keys, and the caller may choose one', async (t) => {
  const { lmp, requests } = await against(t, [{ status: 202, json: { id: 'post_1' } }])
  await lmp.posts.create({ targets: [] })
  await lmp.posts.create({ targets: [] })
  await lmp.posts.create({ targets: [] }, { idempotencyKey: 'mine' })
  const keys = requests.map(({ headers }) => headers['idempotency-key'])
  assert.equal(new Set(keys).size, 3)
  assert.equal(keys[2], 'mine')
})

test('Retry-After is obeyed', async (t) => {
  const { lmp } = await against(t, [problem(429, 'rate_limited', { headers: { 'retry-after': '1' } }), { json: MEDIA }])
  const started = performance.now()
  await lmp.media.get('med_1')
  assert.ok(performance.now() - started >= 990)
})

test('an upload that finds too many under way waits for its turn', async (t) => {
  const full = problem(429, 'quota_exceeded', { headers: { 'retry-after': '0' }, details: { quota: 'uploads', limit: 2, used: 2 } })
  const { lmp, requests } = await against(t, [full, { json: MEDIA }])
  await lmp.media.get('med_1')
  assert.equal(requests.length, 2)
})

test('a request still running is asked for again until its answer is there', async (t) => {
  const running = problem(409, 'idempotency_in_progress', { headers: { 'retry-after': '0' } })
  const { lmp, requests } = await against(t, [running, { status: 202, json: { id: 'post_1' } }])
  assert.equal((await lmp.posts.create({ targets: [] })).id, 'post_1')
  assert.equal(requests.length, 2)
})

for (const [what, answer] of Object.entries({
  'a refusal': problem(422, 'media_rejected_security'),
  'a used-up quota': problem(429, 'quota_exceeded', { headers: { 'retry-after': '1' }, details: { quota: 'posts' } }),
  'a full store': problem(429, 'quota_exceeded', { headers: { 'retry-after': '1' }, details: { quota: 'bytes' } }),
  'a conflict': problem(409, 'idempotency_conflict'),
  'a wait of an hour': problem(503, 'unavailable', { headers: { 'retry-after': '3600' } }),
})) {
  test(`${what} is not asked for twice`, async (t) => {
    const { lmp, requests } = await against(t, [answer])
    await assert.rejects(lmp.posts.create({ targets: [] }), { code: answer.json.error.code })
    assert.equal(requests.length, 1)
  })
}

test('retries end', async (t) => {
  const { lmp, requests } = await against(t, [{ status: 502, text: '<html>' }], { maxRetries: 2 })
  await assert.rejects(lmp.media.get('med_1'), { status: 502, code: 'http_502' })
  assert.equal(requests.length, 3)
})

test('an import sends what to fetch, again with the same key, and gives the media', async (t) => {
  const { lmp, requests } = await against(t, [problem(503, 'upstream_busy'), { status: 201, json: MEDIA }])
  const wanted = { url: 'https://example.com/a.jpg', kind: 'image', altText: 'Dusk.' }
  assert.equal((await lmp.media.import(wanted, { waitS: 3 })).id, 'med_1')
  const [first, again] = requests
  assert.deepEqual([again.method, again.url, JSON.parse(again.body)], ['POST', '/v1/media', wanted])
  assert.deepEqual([again.headers['content-type'], again.headers.prefer], ['application/json', 'wait=3'])
  assert.ok(first.headers['idempotency-key'])
  assert.equal(again.headers['idempotency-key'], first.headers['idempotency-key'])
})

test('a URL that leads nowhere is not asked for twice', async (t) => {
  const { lmp, requests } = await against(t, [problem(422, 'media_url_unreachable')])
  await assert.rejects(lmp.media.import({ url: 'https://example.com/a.jpg' }), { status: 422, code: 'media_url_unreachable' })
  assert.equal(requests.length, 1)
})

test('a stream is sent once', async (t) => {
  const { lmp, requests } = await against(t, [{ status: 503, json: {} }])
  await assert.rejects(lmp.media.upload({ file: Readable.from([BYTES]) }), { status: 503 })
  assert.equal(requests.length, 1)
})

test('errors carry everything the API says', async (t) => {
  const said = { details: { threat: 'Eicar-Signature' }, remediation: 'Send another file.', requestId: 'req_1' }
  const answer = problem(422, 'media_rejected_security', said)
  answer.json.errors = [{ field: 'file', message: 'is infected' }]
  const { lmp } = await against(t, [answer])
  const error = await lmp.media.upload({ file: BYTES }).catch((caught) => caught)
  assert.ok(error instanceof LetmepostError)
  const { status, code, message, requestId, details, remediation, errors } = error
  assert.deepEqual({ status, code, message, requestId, details, remediation, errors }, {
    status: 422, code: 'media_rejected_security', message: 'media_rejected_security!', ...said, errors: answer.json.errors,
  })
})

test('a refusal that comes before the file is sent is the answer', async (t) => {
  const early = { ...problem(413, 'media_too_large', { headers: { connection: 'close' } }), early: true }
  const { lmp } = await against(t, [early], { maxRetries: 0 })
  await assert.rejects(lmp.media.upload({ file: Buffer.alloc(4_000_000) }), { status: 413, code: 'media_too_large' })
})

test('a server that is not there is a connection error', async () => {
  const { url, close } = await serve({})
  await close()
  const lmp = new Letmepost({ apiKey: 'k', baseURL: url, maxRetries: 1 })
  await assert.rejects(lmp.media.get('med_1'), (error) => error instanceof LetmepostConnectionError && error.code === 'connection_failed')
})

test('a silent server is a timeout, and the caller can stop waiting', async (t) => {
  const { lmp } = await against(t, [{ silent: true }], { timeoutMs: 50, maxRetries: 0 })
  await assert.rejects(lmp.media.get('med_1'), (error) => error instanceof LetmepostTimeoutError && error.code === 'timeout')
  const why = new Error('enough')
  const ending = new AbortController()
  setTimeout(() => ending.abort(why), 20)
  await assert.rejects(lmp.media.get('med_1', { signal: ending.signal, timeoutMs: 5_000 }), why)
})

test('an abort ends the pause before a retry', async (t) => {
  const { lmp } = await against(t, [problem(503, 'unavailable', { headers: { 'retry-after': '30' } })])
  await assert.rejects(lmp.media.get('med_1', { signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' })
})

test('a redirect is not followed with the key', async (t) => {
  const other = await serve({ json: MEDIA })
  t.after(other.close)
  const { lmp } = await against(t, [{ status: 302, headers: { location: other.url } }])
  await assert.rejects(lmp.media.get('med_1'), { status: 302 })
  assert.equal(other.requests.length, 0)
})

test('a file that cannot be read is said to be that', async (t) => {
  const { lmp } = await against(t, [{ status: 201, json: MEDIA }])
  await assert.rejects(lmp.media.upload({ file: '/no/such/photo.jpg' }), { code: 'file_unreadable' })
  const broken = new Readable({ read() { this.destroy(new Error('disk on fire')) } })
  await assert.rejects(lmp.media.upload({ file: broken }), { code: 'file_unreadable' })
  await assert.rejects(lmp.media.upload({ file: 7 }), { code: 'file_invalid' })
})

test('lists pass what they are asked for; ids are escaped', async (t) => {
  const { lmp, requests } = await against(t, [{ json: { data: [], nextCursor: null } }])
  await lmp.media.list({ limit: 5, kind: 'video', q: 'a&b', cursor: undefined })
  await lmp.posts.list({ status: 'published' })
  await lmp.posts.list()
  await lmp.media.get('a/../b?')
  assert.deepEqual(requests.map(({ url }) => url), [
    '/v1/media?limit=5&kind=video&q=a%26b', '/v1/posts?status=published', '/v1/posts', '/v1/media/a%2F..%2Fb%3F',
  ])
})

test('posts are checked, changed, canceled and sent again', async (t) => {
  const { lmp, requests } = await against(t, [{ json: { id: 'post_1' } }])
  await lmp.posts.validate({ targets: [] })
  await lmp.posts.update('post_1', { scheduledAt: null })
  await lmp.posts.cancel('post_1')
  await lmp.posts.retry('post_1', { confirmResend: true, waitS: 5 })
  assert.deepEqual(
    requests.map(({ method, url, headers, body }) => [method, url, headers.prefer, body.toString()]),
    [
      ['POST', '/v1/posts/validate', undefined, '{"targets":[]}'],
      ['PATCH', '/v1/posts/post_1', undefined, '{"scheduledAt":null}'],
      ['DELETE', '/v1/posts/post_1', undefined, ''],
      ['POST', '/v1/posts/post_1/retry', 'wait=5', '{"confirmResend":true}'],
    ],
  )
})

test('a delete whose answer was lost is done', async (t) => {
  const { lmp, requests } = await against(t, [{ hangUp: true }, problem(404, 'media_not_found')])
  assert.equal(await lmp.media.delete('med_1'), undefined)
  assert.equal(requests.length, 2)
  const first = await against(t, [problem(404, 'media_not_found')])
  await assert.rejects(first.lmp.media.delete('med_1'), { code: 'media_not_found' })
})

test('waiting ends with readiness, with the reason it will never be, or in time', async (t) => {
  const scanning = { json: { ...MEDIA, status: 'scanning' } }
  const ready = await against(t, [scanning, { json: { ...MEDIA, status: 'processing' } }, { json: MEDIA }])
  assert.equal((await ready.lmp.media.waitUntilReady('med_1')).status, 'ready')

  const error = { code: 'media_rejected_security', message: 'Scan found X.', threat: 'X' }
  const rejected = await against(t, [{ json: { ...MEDIA, status: 'rejected', error } }])
  await assert.rejects(rejected.lmp.media.waitUntilReady('med_1'), (caught) =>
    caught.code === 'media_rejected_security' && caught.details.threat === 'X')

  const never = await against(t, [scanning])
  await assert.rejects(never.lmp.media.waitUntilReady('med_1', { timeoutMs: 300 }), { code: 'wait_timeout' })
})

test('a post is settled when nothing is under way, however it went', async (t) => {
  const { lmp } = await against(t, [{ json: { id: 'post_1', status: 'publishing' } }, { json: { id: 'post_1', status: 'partially_published' } }])
  assert.equal((await lmp.posts.waitUntilSettled('post_1')).status, 'partially_published')
})
