// What is wrong with each of the custom resources on stdin, as a JSON array of lists of sentences.
//
// The packages are made from the types that the operators' own definitions are made from. They let fields pass that they
// do not know; an API server drops such a field without a word, so here it is a mistake: one that nothing asked for.

import { text } from 'node:stream/consumers'

const PACKAGES = {
  'external-secrets.io': '@kubernetes-models/external-secrets',
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
}

const watched = (value, path, unasked) => {
  if (value === null || typeof value !== 'object') return value
  const parts = Array.isArray(value) ? [] : {}
  for (const [key, part] of Object.entries(value)) {
    unasked.add(`${path}/${key}`)
    parts[key] = watched(part, `${path}/${key}`, unasked)
  }
  const get = (target, key) => {
    unasked.delete(`${path}/${String(key)}`)
    return target[key]
  }
  return new Proxy(parts, { get })
}

const mistakes = async (manifest) => {
  const { apiVersion, kind } = manifest
  const models = await import(`${PACKAGES[apiVersion.split('/')[0]]}/${apiVersion}/${kind}`)
  const unasked = new Set()
  const found = []
  try {
    models[kind].prototype.validate.call(watched(manifest, '', unasked))
  } catch (error) {
    if (!Array.isArray(error.errors)) throw error
    found.push(...error.errors.map(({ instancePath, message }) => `${instancePath} ${message}`))
  }
  return [...found, ...[...unasked].map((path) => `${path} is not known`)]
}

const manifests = JSON.parse(await text(process.stdin))
process.stdout.write(JSON.stringify(await Promise.all(manifests.map(mistakes))))
