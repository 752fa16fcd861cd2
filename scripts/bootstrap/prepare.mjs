import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { withLock } from './lock.mjs'
import { fetchedNode, isNodeNewEnough, nodePackage, thisMachine } from './node-package.mjs'
import { explainFailure, fetchPackage, run, runNpm } from './npm.mjs'
import { Refusal } from './refusal.mjs'

/**
 * Makes a checkout ready to run: a Node that is new enough, the pnpm that package.json names, and what the lockfile
 * lists. What is missing is fetched into `.cache` and `node_modules`; what is there is left alone.
 * @param {string} checkout
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ node: string, env: NodeJS.ProcessEnv }>} the Node to go on with, and an environment with it in PATH
 */
export async function prepare(checkout, env) {
  const cache = join(checkout, '.cache')
  refuseReadOnly(checkout, cache)
  const pnpmVersion = pnpmVersionOf(checkout)
  const pnpmFolder = join(cache, `pnpm-${pnpmVersion}`)
  const found = findNode(cache)
  const isReady = existsSync(found.node) && existsSync(pnpmFolder) && isInstalled(checkout)
  const path = [join(checkout, 'node_modules/.bin'), join(pnpmFolder, 'node_modules/.bin'), dirname(found.node)]
  const ready = { ...env, PATH: [...path, env['PATH'] ?? ''].join(delimiter), TURBO_TELEMETRY_DISABLED: '1' }
  if (isReady) return { node: found.node, env: ready }

  await withLock(
    join(cache, 'bootstrap.lock'),
    () => say('Waiting for another command that is installing in this checkout'),
    async () => {
      const fetches = [step(`Fetching pnpm ${pnpmVersion}`, pnpmFolder, `pnpm@${pnpmVersion}`, env)]
      if (found.fetch !== null) {
        const title = `This is Node ${process.versions.node}; fetching Node ${fetchedNode}`
        fetches.push(step(title, found.fetch.folder, found.fetch.spec, env))
      }
      // Both end before we do, or a failure would leave the other one half-way.
      for (const fetched of await Promise.allSettled(fetches)) if (fetched.status === 'rejected') throw fetched.reason
      if (!isInstalled(checkout)) await install(checkout, found.node, pnpmFolder, ready)
    },
  )
  return { node: found.node, env: ready }
}

/** @param {string} cache */
function findNode(cache) {
  if (isNodeNewEnough(process.versions.node)) return { node: process.execPath, fetch: null }
  const name = nodePackage(thisMachine())
  const folder = join(cache, `node-${fetchedNode}`)
  const program = process.platform === 'win32' ? 'bin/node.exe' : 'bin/node'
  return { node: join(folder, 'node_modules', name, program), fetch: { folder, spec: `${name}@${fetchedNode}` } }
}

/**
 * @param {string} title
 * @param {string} folder
 * @param {string} spec
 * @param {NodeJS.ProcessEnv} env
 */
async function step(title, folder, spec, env) {
  if (existsSync(folder)) return
  await timed(`${title} into .cache`, () => fetchPackage(spec, folder, env))
}

/**
 * @param {string} checkout
 * @param {string} node
 * @param {string} pnpmFolder
 * @param {NodeJS.ProcessEnv} env
 */
async function install(checkout, node, pnpmFolder, env) {
  await timed('Installing what pnpm-lock.yaml lists into node_modules', async () => {
    const folder = join(pnpmFolder, 'node_modules/pnpm')
    const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    // pnpm does not read every place npm's registry may be set in, so npm is asked.
    const registry = (await runNpm(['config', 'get', 'registry'], checkout, env)).trim().split('\n').pop() ?? ''
    const args = [
      join(folder, bin.pnpm),
      'install',
      '--frozen-lockfile',
      '--reporter=append-only',
      `--registry=${registry}`,
    ]
    // CI: nothing may wait for an answer at the terminal.
    const { code, stdout, stderr } = await run(node, args, checkout, { ...env, CI: 'true' })
    if (code !== 0) throw new Refusal(explainFailure('pnpm install', `${stderr}\n${stdout}`))
    writeFileSync(stampFile(checkout), lockfileHash(checkout))
  })
}

/** @param {string} checkout */
function isInstalled(checkout) {
  const file = stampFile(checkout)
  return existsSync(file) && readFileSync(file, 'utf8') === lockfileHash(checkout)
}

/**
 * Inside node_modules, so that it goes when they go.
 * @param {string} checkout
 */
function stampFile(checkout) {
  return join(checkout, 'node_modules/.q-installed')
}

/** @param {string} checkout */
function lockfileHash(checkout) {
  return createHash('sha256')
    .update(readFileSync(join(checkout, 'pnpm-lock.yaml')))
    .digest('hex')
}

/** @param {string} checkout */
function pnpmVersionOf(checkout) {
  const { packageManager } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'))
  const version = /^pnpm@([^+]+)/.exec(packageManager)?.[1]
  if (version === undefined)
    throw new Refusal('packageManager in package.json must name an exact pnpm, like pnpm@11.0.0.')
  return version
}

/**
 * @param {string} checkout
 * @param {string} cache
 */
function refuseReadOnly(checkout, cache) {
  try {
    mkdirSync(cache, { recursive: true })
    accessSync(cache, constants.W_OK)
    accessSync(checkout, constants.W_OK)
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error)
    throw new Refusal(
      `The folder ${checkout} cannot be written to (${code}): copy the checkout into a folder of your own and run this command there.`,
    )
  }
}

/**
 * @param {string} title
 * @param {() => Promise<void>} work
 */
async function timed(title, work) {
  say(`${title} ...`)
  const startedMs = Date.now()
  await work()
  say(`${title}: done in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`)
}

/** @param {string} line */
function say(line) {
  process.stderr.write(`${line}\n`)
}
