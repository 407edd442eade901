// dist/esm and dist/cjs, each with the package.json that says which it is.

import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
const dist = join(root, 'dist')

rmSync(dist, { recursive: true, force: true })
for (const [folder, config, type] of [['esm', 'tsconfig.json', 'module'], ['cjs', 'tsconfig.cjs.json', 'commonjs']]) {
  execFileSync(process.execPath, [tsc, '-p', join(root, config)], { stdio: 'inherit' })
  mkdirSync(join(dist, folder), { recursive: true })
  writeFileSync(join(dist, folder, 'package.json'), `${JSON.stringify({ type })}\n`)
}
