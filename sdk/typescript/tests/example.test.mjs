// The example runs as it stands. Here against a server that plays the API; against the real one in the end-to-end tests.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'node:test'
import { promisify } from 'node:util'

import { serve } from './server.mjs'

const SCRIPT = fileURLToPath(new URL('../scripts/example.mjs', import.meta.url))

test('the example uploads ./photo.jpg and posts it to its three targets', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lmp-example-'))
  const server = await serve({ status: 201, json: { id: 'med_1' } }, { status: 202, json: { id: 'post_1' } })
  t.after(async () => { await server.close(); await rm(folder, { recursive: true }) })
  await writeFile(join(folder, 'photo.jpg'), 'a photo')
  const env = { ...process.env, INIT_CWD: folder, LMP_API_KEY: 'lmp_test_k', LMP_BASE_URL: server.url }
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT], { env })
  assert.deepEqual(JSON.parse(stdout), { id: 'post_1' })
  const [upload, post] = server.requests
  assert.match(upload.body.toString(), /name="kind"\r\n\r\nimage\r\n[^]*\r\n\r\na photo\r\n--/)
  const { targets, media } = JSON.parse(post.body)
  assert.deepEqual(targets.map(({ platform }) => platform), ['bluesky', 'x', 'pinterest'])
  assert.deepEqual(media, [{ mediaId: 'med_1' }])
})
