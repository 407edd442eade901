// A did:plc directory in memory, of which the PDS asks two things: take an operation, give the document it makes.
// Source: https://web.plc.directory/spec/v0.1/did-plc

import { createServer } from 'node:http'

const HEADERS = { 'Content-Type': 'application/json' }

export function startDirectory(host) {
  const operations = new Map()
  const server = createServer((request, answer) => {
    const [did, ...rest] = decodeURIComponent(request.url.slice(1)).split('/')
    if (request.method === 'POST') return take(request, answer, operations, did)
    const found = operations.get(did)
    if (!found) return answer.writeHead(404, HEADERS).end(JSON.stringify({ message: `DID not registered: ${did}` }))
    const wanted = { '': document, data: state, 'log/last': (_, operation) => operation }[rest.join('/')]
    return wanted
      ? answer.writeHead(200, HEADERS).end(JSON.stringify(wanted(did, found)))
      : answer.writeHead(404, HEADERS).end('{}')
  })
  return new Promise((resolve, reject) => {
    server.on('error', reject).listen(0, host, () => {
      const close = () => new Promise((closed) => { server.close(closed); server.closeAllConnections() })
      resolve({ url: `http://${host}:${server.address().port}`, close })
    })
  })
}

async function take(request, answer, operations, did) {
  let body = ''
  for await (const piece of request) body += piece
  operations.set(did, JSON.parse(body))
  answer.writeHead(200, HEADERS).end('{}')
}

function state(did, { rotationKeys, verificationMethods, alsoKnownAs, services }) {
  return { did, rotationKeys, verificationMethods, alsoKnownAs, services }
}

function document(did, { verificationMethods, alsoKnownAs, services }) {
  return {
    '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'],
    id: did,
    alsoKnownAs,
    verificationMethod: Object.entries(verificationMethods).map(([name, key]) => ({
      id: `${did}#${name}`,
      type: 'Multikey',
      controller: did,
      publicKeyMultibase: key.replace('did:key:', ''),
    })),
    service: Object.entries(services).map(([name, { type, endpoint }]) => ({
      id: `#${name}`,
      type,
      serviceEndpoint: endpoint,
    })),
  }
}
