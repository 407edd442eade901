// Which of the messages on stdin the receivers' npm library verifies, as a JSON array of true and false.

import { createRequire } from 'node:module'
import { text } from 'node:stream/consumers'

const require = createRequire(new URL('../../sdk/typescript/package.json', import.meta.url))
const { Webhook } = require('standardwebhooks')

const verified = JSON.parse(await text(process.stdin)).map(({ secret, headers, body }) => {
  try {
    new Webhook(secret).verify(Buffer.from(body, 'base64').toString(), headers)
    return true
  } catch {
    return false
  }
})
process.stdout.write(JSON.stringify(verified))
