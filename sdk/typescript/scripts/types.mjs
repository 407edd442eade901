// src/types.ts from the API reference.   node scripts/types.mjs [--check]

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const reference = join(root, '..', '..', 'docs', 'openapi.json')
const target = join(root, 'src', 'types.ts')
const PLAIN = { string: 'string', integer: 'number', number: 'number', boolean: 'boolean', null: 'null' }

export function generate({ components: { schemas } }) {
  const head = '/** What goes over the wire. Made from docs/openapi.json by scripts/types.mjs: `make gen`. */\n'
  return [head, ...Object.entries(schemas).map(([name, schema]) => declaration(name, schema))].join('\n')
}

function declaration(name, schema) {
  const told = comment(schema.description, '')
  if (schema.properties) return `${told}export interface ${name} ${members(schema, '')}\n`
  return `${told}export type ${name} = ${type(schema, '')}\n`
}

function members({ properties, required = [] }, indent) {
  const inner = `${indent}  `
  const lines = Object.entries(properties).map(([name, schema]) => {
    const { description, ...shape } = schema
    return `${comment(description, inner)}${inner}${name}${required.includes(name) ? '' : '?'}: ${type(shape, inner)}\n`
  })
  return `{\n${lines.join('')}${indent}}`
}

/** A construct it does not know is an error: a type that is nearly right is worse than none. */
function type(schema, indent) {
  if (schema.$ref) return schema.$ref.replace('#/components/schemas/', '')
  if (schema.oneOf) return schema.oneOf.map((one) => type(one, indent)).join(' | ')
  if (schema.enum) return schema.enum.map((value) => `'${value}'`).join(' | ')
  if (Array.isArray(schema.type)) return schema.type.map((one) => type({ ...schema, type: one }, indent)).join(' | ')
  if (schema.type === 'array') return `${grouped(type(schema.items, indent))}[]`
  if (schema.type === 'object' && schema.properties) return members(schema, indent)
  if (schema.type === 'object') {
    const values = schema.additionalProperties
    return `Record<string, ${typeof values === 'object' ? type(values, indent) : 'unknown'}>`
  }
  if (schema.type in PLAIN) return PLAIN[schema.type]
  throw new Error(`no TypeScript for ${JSON.stringify(schema)}`)
}

function grouped(text) {
  return text.includes(' | ') ? `(${text})` : text
}

function comment(text, indent) {
  if (!text) return ''
  const lines = text.replaceAll('*/', '* /').split('\n')
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const made = generate(JSON.parse(readFileSync(reference, 'utf8')))
  if (process.argv[2] !== '--check') writeFileSync(target, made)
  else if (!existsSync(target) || readFileSync(target, 'utf8') !== made) {
    console.error('src/types.ts is not what docs/openapi.json says; run `make gen`')
    process.exit(1)
  }
}
