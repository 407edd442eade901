// The real PDS on 127.0.0.1, with a fresh folder and one account.
//
//   node start.mjs
//
// Prints one line of JSON, {"url", "handle", "password", "did", "plcUrl"}, and serves until SIGTERM, or until its
// standard input ends, which is how it notices that the tests are gone.

import { mkdtemp, rm } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// Newer than the oldest Node these tests run on.
import 'core-js/actual/iterator/index.js'

import { startDirectory } from './directory.mjs'

const HOST = '127.0.0.1'
const HANDLE = 'alice.test'

// Read while the PDS is imported.
process.env.LOG_ENABLED ??= 'false'
const { PDS, envToCfg, envToSecrets } = await import('@atproto/pds')

const folder = await mkdtemp(join(tmpdir(), 'lmp-pds-'))
const directory = await startDirectory(HOST)
const pds = await PDS.create(...configuration(await freePort()))

// It would listen on every interface otherwise.
const listen = pds.app.listen.bind(pds.app)
pds.app.listen = (port) => listen(port, HOST)
await pds.start()

const url = `http://${HOST}:${pds.ctx.cfg.service.port}`
const password = randomBytes(12).toString('hex')
const account = await createAccount(password)
process.stdout.write(`${JSON.stringify({ url, handle: HANDLE, password, did: account.did, plcUrl: directory.url })}\n`)

let stopping = false
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, stop)
process.stdin.on('end', stop).resume()

async function stop() {
  if (stopping) return
  stopping = true
  await pds.destroy()
  await directory.close()
  await rm(folder, { recursive: true, force: true })
  process.exit(0)
}

function configuration(port) {
  const env = {
    devMode: true,
    port,
    hostname: 'localhost',
    dataDirectory: folder,
    blobstoreDiskLocation: join(folder, 'blobs'),
    blobstoreDiskTmpLocation: join(folder, 'temp'),
    didPlcUrl: directory.url,
    serviceHandleDomains: ['.test'],
    inviteRequired: false,
    disableSsrfProtection: true,
    enableDidDocWithSession: true,
    jwtSecret: randomBytes(32).toString('hex'),
    adminPassword: randomBytes(16).toString('hex'),
    plcRotationKeyK256PrivateKeyHex: randomBytes(32).toString('hex'),
  }
  return [envToCfg(env), envToSecrets(env)]
}

async function createAccount(secret) {
  const answer = await fetch(`${url}/xrpc/com.atproto.server.createAccount`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ handle: HANDLE, email: 'alice@example.test', password: secret }),
  })
  if (!answer.ok) throw new Error(`createAccount: ${answer.status} ${await answer.text()}`)
  return answer.json()
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().on('error', reject)
    probe.listen(0, HOST, () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}
