import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import test from 'node:test'

import { Letmepost, LetmepostConnectionError, LetmepostError } from '@letmepost/sdk'

import { cutAfter, fine, loseAnswer, MIB, refuse, refuseForGood, serveSessions, silent } from './sessions.mjs'

const FILE = randomBytes(18 * MIB + 7) // three pieces
const SIZE = FILE.length

async function against(t, faults = [], options = {}) {
  const server = await serveSessions({ faults })
  t.after(server.close)
  return { ...server, lmp: new Letmepost({ apiKey: 'lmp_test_k', baseURL: server.url, ...options }) }
}

async function onDisk(t, bytes = FILE) {
  const folder = await mkdtemp(join(tmpdir(), 'lmp-sdk-'))
  t.after(() => rm(folder, { recursive: true }))
  const path = join(folder, 'clip.mp4')
  await writeFile(path, bytes)
  return path
}

const pieces = (log) => log.filter((line) => /^PUT .* bytes \d/.test(line)).map((line) => /bytes (\d+)-(\d+)/.exec(line).slice(1).map(Number))

test('every kind of file arrives whole, in aligned pieces, and is told about', async (t) => {
  const path = await onDisk(t)
  const cases = {
    path: { file: path },
    bytes: { file: FILE },
    blob: { file: new Blob([FILE]) },
    'node stream': { file: createReadStream(path), sizeBytes: SIZE },
    'web stream': { file: new Blob([FILE]).stream(), sizeBytes: SIZE },
  }
  for (const [what, input] of Object.entries(cases)) {
    const { lmp, session, log } = await against(t)
    const told = []
    const sessions = []
    const media = await lmp.media.upload({
      ...input, kind: 'video', altText: 'Waves.', filename: 'clip.mp4', resumable: true,
      onProgress: (progress) => told.push(progress), onSession: (begun) => sessions.push(begun),
    })
    assert.equal(media.id, 'med_1', what)
    assert.ok(session.bytes.equals(FILE), what)
    assert.deepEqual(session.created, { filename: 'clip.mp4', sizeBytes: SIZE, kind: 'video', altText: 'Waves.' })
    assert.deepEqual(pieces(log), [[0, 8 * MIB - 1], [8 * MIB, 16 * MIB - 1], [16 * MIB, SIZE - 1]])
    assert.deepEqual(told, [8 * MIB, 16 * MIB, SIZE].map((sentBytes) => ({ sentBytes, totalBytes: SIZE })))
    assert.deepEqual(sessions, [{ uploadId: 'upl_1', expiresAt: '2026-01-02T00:00:00Z' }])
  }
})

test('above 100 MB it goes in pieces by itself', async (t) => {
  const { lmp, log } = await against(t, [refuse(415, 'media_type_unsupported')])
  const path = await onDisk(t, '')
  await truncate(path, 100_000_001)
  await assert.rejects(lmp.media.upload({ file: path }), { code: 'media_type_unsupported', status: 415, uploadId: 'upl_1' })
  assert.equal(log[0], 'POST /v1/uploads')
  assert.equal(log.length, 2)
})

for (const [what, file] of Object.entries({
  'a path': (t) => onDisk(t),
  'a stream': () => Readable.from([FILE.subarray(0, 5), FILE.subarray(5, 9 * MIB), FILE.subarray(9 * MIB)]),
  'a blob': () => new Blob([FILE]),
})) {
  test(`${what} goes on after cut connections where the service says, and no acknowledged byte is sent again`, async (t) => {
    const { lmp, session, log } = await against(t, [cutAfter(3 * MIB + 1), fine, cutAfter(0), loseAnswer])
    await lmp.media.upload({ file: await file(t), sizeBytes: SIZE, resumable: true })
    assert.ok(session.bytes.equals(FILE))
    const sent = pieces(log).map(([first]) => first)
    assert.deepEqual(sent, [0, 3 * MIB + 1, 11 * MIB + 1, 11 * MIB + 1])
    assert.equal(log.filter((line) => line.endsWith(` bytes */${SIZE}`)).length, 3)
  })
}

test('when the last answer is lost, the media item is asked for', async (t) => {
  const { lmp, log } = await against(t, [fine, fine, loseAnswer])
  assert.equal((await lmp.media.upload({ file: FILE, resumable: true })).id, 'med_1')
  assert.equal(log.at(-1), `PUT /v1/uploads/upl_1 bytes */${SIZE}`)
})

for (const [status, code] of [[409, 'upload_complete'], [409, 'upload_offset_conflict'], [423, 'upload_locked'], [408, 'upload_stalled'], [503, 'unavailable'], [429, 'rate_limited']]) {
  test(`${code}: it asks and goes on`, async (t) => {
    const { lmp, session } = await against(t, [fine, refuse(status, code)])
    await lmp.media.upload({ file: FILE, resumable: true })
    assert.ok(session.bytes.equals(FILE))
  })
}

for (const [status, code] of [[410, 'upload_expired'], [404, 'upload_not_found'], [422, 'media_type_mismatch'], [460, 'checksum_mismatch']]) {
  test(`${code} ends it, by name`, async (t) => {
    const { lmp, log } = await against(t, [fine, refuseForGood(status, code)])
    const error = await lmp.media.upload({ file: FILE, resumable: true }).catch((caught) => caught)
    assert.ok(error instanceof LetmepostError)
    assert.deepEqual([error.status, error.code, error.uploadId], [status, code, 'upl_1'])
    assert.equal(pieces(log).length, 2)
  })
}

test('another process goes on with what the error named', async (t) => {
  const { lmp, session, log, url } = await against(t, [fine, cutAfter(MIB)], { maxRetries: 0 })
  const error = await lmp.media.upload({ file: FILE, resumable: true }).catch((caught) => caught)
  assert.ok(error instanceof LetmepostConnectionError)
  assert.equal(error.uploadId, 'upl_1')
  const told = []
  const later = new Letmepost({ apiKey: 'lmp_test_k', baseURL: url })
  const stream = Readable.from([FILE.subarray(0, 10 * MIB), FILE.subarray(10 * MIB)])
  const resumed = { file: stream, sizeBytes: SIZE, resumeFrom: error.uploadId, onProgress: ({ sentBytes }) => told.push(sentBytes) }
  assert.equal((await later.media.upload(resumed)).id, 'med_1')
  assert.ok(session.bytes.equals(FILE))
  assert.equal(log.filter((line) => line.startsWith('POST')).length, 1)
  assert.deepEqual(pieces(log).at(-1), [17 * MIB, SIZE - 1])
  assert.deepEqual(told, [9 * MIB, 17 * MIB, SIZE])
  const again = await later.media.upload({ file: FILE, resumeFrom: error.uploadId })
  assert.equal(again.id, 'med_1', 'what is complete is only asked for')
})

test('another file than the one begun with is not sent', async (t) => {
  const { lmp, log } = await against(t, [cutAfter(5)], { maxRetries: 0 })
  const { uploadId } = await lmp.media.upload({ file: FILE, resumable: true }).catch((caught) => caught)
  const before = log.length
  await assert.rejects(lmp.media.upload({ file: FILE.subarray(1), resumeFrom: uploadId }), { code: 'resume_mismatch', uploadId })
  assert.equal(log.length, before + 1)
  await assert.rejects(lmp.media.upload({ file: FILE, resumeFrom: 'upl_other' }), { code: 'upload_not_found', uploadId: 'upl_other' })
})

test('a signal in either place ends it, between and within pieces', async (t) => {
  for (const place of ['upload', 'options']) {
    const { lmp, log } = await against(t)
    const ending = new AbortController()
    const why = new Error('enough')
    const upload = { file: FILE, resumable: true, onProgress: () => ending.abort(why) }
    const { signal } = ending
    await assert.rejects(place === 'upload' ? lmp.media.upload({ ...upload, signal }) : lmp.media.upload(upload, { signal }), why)
    assert.equal(pieces(log).length, 1)
  }
  const { lmp } = await against(t, [silent])
  await assert.rejects(lmp.media.upload({ file: FILE, resumable: true, signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' })
})

test('faults without end end it; those between which it advances do not count together', async (t) => {
  const never = await against(t, Array(9).fill(cutAfter(0)), { maxRetries: 1 })
  await assert.rejects(never.lmp.media.upload({ file: FILE, resumable: true }), { code: 'connection_failed' })
  assert.equal(pieces(never.log).length, 2)
  const slowly = await against(t, Array(5).fill(cutAfter(MIB)), { maxRetries: 1 })
  await slowly.lmp.media.upload({ file: FILE, resumable: true })
  assert.ok(slowly.session.bytes.equals(FILE))
})

test('a stream is held to its size, which it must have', async (t) => {
  const { lmp, session } = await against(t)
  const stream = () => Readable.from([FILE])
  await assert.rejects(lmp.media.upload({ file: stream(), resumable: true }), { code: 'file_invalid' })
  await assert.rejects(lmp.media.upload({ file: stream(), resumable: true, sizeBytes: SIZE - 1 }), { code: 'file_invalid', uploadId: 'upl_1' })
  assert.ok(session.offset < SIZE - 1)
  await assert.rejects(lmp.media.upload({ file: stream(), resumable: true, sizeBytes: SIZE + 1 }), { code: 'file_invalid' })
})

test('a browser, which hides the 308, asks after each piece', async (t) => {
  const { lmp, session, log } = await against(t, [fine, cutAfter(MIB)])
  const { fetch } = globalThis
  t.after(() => { globalThis.fetch = fetch })
  globalThis.fetch = async (...call) => {
    const answer = await fetch(...call)
    if (answer.status !== 308) return answer
    return { ok: false, status: 0, type: 'opaqueredirect', headers: new Headers(), text: async () => '' }
  }
  await lmp.media.upload({ file: new File([FILE], 'clip.mp4'), resumable: true })
  assert.ok(session.bytes.equals(FILE))
  assert.equal(session.created.filename, 'clip.mp4')
  assert.equal(log.filter((line) => line.startsWith('GET')).length, 3)
})
