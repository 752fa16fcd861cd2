import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { nodePackage, thisMachine } from '../bootstrap/node-package.mjs'
import { fetchPackage, runNpm } from '../bootstrap/npm.mjs'

interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly exports: Record<string, unknown>
}

/** The oldest Node that the packages promise to run on. */
const oldestNode = '22.14'

const execute = promisify(execFile)

/**
 * Installs the packed tarballs with npm in a project of its own, and uses every entry by `import` and by `require`, with
 * types, on the oldest Node the packages promise. Throws at the first thing a user would stumble over.
 */
export async function tryTarballs(checkout: string): Promise<void> {
  const packages = readPackages(checkout)
  const consumer = mkdtempSync(join(tmpdir(), 'q-consumer-'))
  try {
    const tarballs = packages.map(({ folder }) => join(folder, 'package.tgz'))
    const overrides = Object.fromEntries(
      packages.map(({ manifest }, index) => [manifest.name, `file:${tarballs[index]}`]),
    )
    const own = { name: 'consumer', private: true, type: 'module', dependencies: overrides }
    writeFileSync(join(consumer, 'package.json'), JSON.stringify(own))
    const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', '--prefer-offline']
    await runNpm(['install', ...flags], consumer, process.env)
    for (const { manifest } of packages) refuseLeaks(join(consumer, 'node_modules', manifest.name))

    const entries = packages.flatMap(({ manifest }) =>
      Object.keys(manifest.exports)
        .filter((key) => key !== './package.json')
        .map((key) => `${manifest.name}${key.slice(1)}`),
    )
    writeFileSync(join(consumer, 'use.mjs'), useByImport(entries))
    // The storage suite asks at its import whether vitest is there, so the testkit alone cannot be required.
    writeFileSync(join(consumer, 'use.cjs'), useByRequire(entries.filter((entry) => entry !== '@q/testkit')))
    writeFileSync(join(consumer, 'use.ts'), useWithTypes(entries))
    const node = await fetchOldestNode(checkout)
    await execute(node, ['use.mjs'], { cwd: consumer })
    await execute(node, ['use.cjs'], { cwd: consumer })
    await runFrontPage(checkout, node, consumer)
    const tsc = join(checkout, 'node_modules/typescript/bin/tsc')
    const options =
      '--noEmit --strict --module nodenext --target es2023 --lib es2024,esnext.disposable --skipLibCheck false'
    const roots = ['--typeRoots', join(checkout, 'node_modules/@types'), '--types', 'node']
    await execute(process.execPath, [tsc, ...options.split(' '), ...roots, 'use.ts'], { cwd: consumer })
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${(error as Error).message}\n${stdout}${stderr}`.trim(), { cause: error })
  } finally {
    rmSync(consumer, { recursive: true, force: true })
  }
}

function readPackages(checkout: string): Array<{ folder: string; manifest: Manifest }> {
  const parent = join(checkout, 'packages')
  return readdirSync(parent)
    .map((name) => join(parent, name))
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .map((folder) => ({
      folder,
      manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest,
    }))
    .filter(({ manifest }) => manifest.private !== true)
}

/** What only the workspace understands must not reach a user, and what a user looks for must be there. */
function refuseLeaks(installed: string): void {
  const { scripts: _ours, ...read } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Record<
    string,
    unknown
  >
  const manifest = JSON.stringify(read)
  for (const leak of ['@q/source', 'workspace:', 'catalog:']) {
    if (manifest.includes(leak)) throw new Error(`${installed}/package.json still holds "${leak}".`)
  }
  for (const field of ['description', 'keywords', 'license', 'repository', 'engines', 'exports']) {
    if (!(field in JSON.parse(manifest))) throw new Error(`${installed}/package.json has no "${field}".`)
  }
  const allowed = ['LICENSE', 'README.md', 'dist', 'package.json', 'node_modules']
  const files = readdirSync(installed)
  const surplus = files.filter((file) => !allowed.includes(file))
  if (surplus.length > 0) throw new Error(`${installed} holds ${surplus.join(', ')}, which no user needs.`)
  for (const file of ['LICENSE', 'README.md', 'dist']) {
    if (!files.includes(file)) throw new Error(`${installed} has no ${file}.`)
  }
}

function useByImport(entries: readonly string[]): string {
  return `
import assert from 'node:assert/strict'
${entries.map((entry, index) => `import * as entry${index} from '${entry}'`).join('\n')}
${entries.map((entry, index) => `assert.ok(Object.keys(entry${index}).length > 0, '${entry} exports nothing')`).join('\n')}

import { createClient, createServer, defineJob, memoryStorage } from '@q/core'
import { sqliteStorage } from '@q/sqlite'
const add = defineJob({ name: 'add', run: async ({ a, b }) => a + b })
for (const storage of [memoryStorage(), sqliteStorage(':memory:')]) {
  const client = createClient({ storage })
  const server = createServer({ storage, jobs: [add] })
  await server.start()
  const job = await client.enqueue(add, { a: 1, b: 2 })
  assert.equal(await job.result({ timeout: '20s' }), 3)
  await server.stop()
  await storage.close()
}
`
}

/** The same module must come either way, or a user would have every class twice. */
function useByRequire(entries: readonly string[]): string {
  return `
const assert = require('node:assert/strict')
async function main() {
${entries.map((entry) => `  assert.equal(require('${entry}'), await import('${entry}'))`).join('\n')}
}
main()
`
}

function useWithTypes(entries: readonly string[]): string {
  return `
${entries.map((entry, index) => `import * as entry${index} from '${entry}'`).join('\n')}
${entries.map((_, index) => `void entry${index}`).join('\n')}
import { createClient, defineJob, memoryStorage } from '@q/core'
const add = defineJob({ name: 'add', run: async (input: { a: number; b: number }) => input.a + input.b })
const job = await createClient({ storage: memoryStorage() }).enqueue(add, { a: 1, b: 2 })
const sum: number = await job.result()
void sum
`
}

/** Whoever pastes the example of the front page into a file sees what the front page says. */
async function runFrontPage(checkout: string, node: string, consumer: string): Promise<void> {
  const page = readFileSync(join(checkout, 'README.md'), 'utf8')
  const [, code = '', prints = ''] = /^```ts\n([\s\S]*?)^```\n\s*```text\n([\s\S]*?)^```/m.exec(page) ?? []
  writeFileSync(join(consumer, 'app.ts'), code)
  const flags = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning']
  const { stdout } = await execute(node, [...flags, 'app.ts'], { cwd: consumer })
  if (code === '' || stdout !== prints) throw new Error(`The example of README.md printed ${JSON.stringify(stdout)}.`)
}

async function fetchOldestNode(checkout: string): Promise<string> {
  const name = nodePackage(thisMachine())
  const folder = join(checkout, '.cache', `node-${oldestNode}`)
  await fetchPackage(`${name}@${oldestNode}`, folder, process.env)
  return join(folder, 'node_modules', name, process.platform === 'win32' ? 'bin/node.exe' : 'bin/node')
}
