// An HTTP server that answers what a test tells it to, and keeps what it was sent.

import { createServer } from 'node:http'

export async function serve(...answers) {
  const requests = []
  const server = createServer(async (request, response) => {
    const index = requests.length
    const kept = { method: request.method, url: request.url, headers: request.headers, body: Buffer.alloc(0) }
    requests.push(kept)
    const answer = answers[Math.min(index, answers.length - 1)]
    if (answer.early) return send(response, answer)
    const pieces = []
    try {
      for await (const piece of request) pieces.push(piece)
    } catch {
      return // The client went away, as some tests have it.
    }
    kept.body = Buffer.concat(pieces)
    if (answer.hangUp) return request.socket.destroy()
    if (answer.silent) return
    send(response, answer)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections() })
  return { url: `http://127.0.0.1:${server.address().port}`, requests, close }
}

export function problem(status, code, { headers = {}, ...error } = {}) {
  const body = { type: `/docs/errors/${code}`, status, detail: 'detail', error: { code, message: `${code}!`, ...error } }
  return { status, headers: { 'content-type': 'application/problem+json', ...headers }, json: body }
}

function send(response, { status = 200, headers = {}, json, text }) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(text ?? (json === undefined ? undefined : JSON.stringify(json)))
}
