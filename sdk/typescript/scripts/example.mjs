// Runs tests/example.ts as it stands in the folder npm was called from, and prints its result as JSON.
//
//   LMP_BASE_URL=… LMP_API_KEY=… npm --prefix sdk/typescript run --silent example     # with ./photo.jpg

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
// Inside the package, so that '@letmepost/sdk' means this very package.
const copy = join(root, 'dist', `example-${process.pid}.mjs`)
const code = readFileSync(join(root, 'tests', 'example.ts'), 'utf8')

writeFileSync(copy, `${code}\nexport { result };\n`)
process.chdir(process.env.INIT_CWD ?? process.cwd())
try {
  const { result } = await import(pathToFileURL(copy).href)
  process.stdout.write(`${JSON.stringify(result)}\n`)
} finally {
  rmSync(copy, { force: true })
}
