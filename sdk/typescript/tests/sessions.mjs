// A server of uploads in pieces, as docs/uploads.md has them, that plays each fault a test asks for, in order, once.

import { createServer } from 'node:http'

import { problem } from './server.mjs'

export const MIB = 1024 * 1024

/** faults: what becomes of each PUT that carries bytes, in order; the makers of them are below. */
export async function serveSessions({ faults = [] } = {}) {
  const waiting = [...faults]
  const session = { id: 'upl_1', sizeBytes: 0, offset: 0, bytes: Buffer.alloc(0), created: undefined, failing: undefined }
  const log = []
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })

  async function answer(request, response) {
    const range = request.headers['content-range']
    log.push(`${request.method} ${request.url}${range ? ` ${range}` : ''}`)
    if (request.method === 'POST' && request.url === '/v1/uploads') {
      session.created = JSON.parse(await all(request))
      session.sizeBytes = session.created.sizeBytes
      session.offset = 0
      session.bytes = Buffer.alloc(session.sizeBytes)
      return send(response, 201, state())
    }
    if (request.url !== `/v1/uploads/${session.id}`) return send(response, 404, problem(404, 'upload_not_found').json)
    if (request.method === 'GET') return send(response, 200, state())
    const [, first] = /^bytes (?:(\d+)-\d+|\*)\/\d+$/.exec(range)
    if (session.failing) return send(response, ...session.failing)
    if (first === undefined) return progress(response)
    const fault = waiting.shift() ?? {}
    if (fault.refuse) {
      if (fault.forGood) session.failing = fault.refuse
      await all(request)
      return send(response, ...fault.refuse)
    }
    if (Number(first) !== session.offset) {
      await all(request)
      return send(response, 409, problem(409, 'upload_offset_conflict', { details: { offset: session.offset } }).json)
    }
    let kept = 0
    for await (const chunk of request) {
      const room = fault.cutAfter === undefined ? chunk.length : Math.min(chunk.length, fault.cutAfter - kept)
      chunk.copy(session.bytes, session.offset, 0, room)
      session.offset += room
      kept += room
      if (fault.cutAfter !== undefined && kept >= fault.cutAfter) return request.socket.destroy()
    }
    if (fault.silent) return
    if (fault.loseAnswer) return request.socket.destroy()
    return progress(response)
  }

  function state() {
    const complete = session.offset === session.sizeBytes
    return {
      id: session.id, status: complete ? 'complete' : 'receiving', offset: session.offset, sizeBytes: session.sizeBytes,
      chunkAlignment: 262_144, mediaId: complete ? 'med_1' : null, expiresAt: '2026-01-02T00:00:00Z',
    }
  }

  function progress(response) {
    const offset = session.offset
    if (offset === session.sizeBytes) return send(response, 200, { id: 'med_1', status: 'processing', sizeBytes: offset })
    response.writeHead(308, offset ? { range: `bytes=0-${offset - 1}` } : {}).end()
  }

  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections() })
  return { url: `http://127.0.0.1:${server.address().port}`, log, session, close }
}

export const cutAfter = (bytes) => ({ cutAfter: bytes })
export const silent = { silent: true }
export const loseAnswer = { loseAnswer: true }
export const refuse = (status, code, facts) => ({ refuse: [status, problem(status, code, facts).json] })
export const refuseForGood = (status, code) => ({ ...refuse(status, code), forGood: true })
export const fine = {}

async function all(request) {
  const pieces = []
  for await (const piece of request) pieces.push(piece)
  return Buffer.concat(pieces)
}

function send(response, status, json) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json))
}
