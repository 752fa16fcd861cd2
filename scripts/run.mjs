// The door of every command in package.json. Plain JavaScript that Node 18 understands: it finds or fetches what is
// missing and hands over to `scripts/commands/<name>.ts` on a Node that is new enough.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { prepare } from './bootstrap/prepare.mjs'
import { Refusal } from './bootstrap/refusal.mjs'

const scripts = dirname(fileURLToPath(import.meta.url))
const [command = '', ...args] = process.argv.slice(2)

const stopEarly = () => process.exit(130)
process.on('SIGINT', stopEarly)
process.on('SIGTERM', stopEarly)

try {
  const { node, env } = await prepare(dirname(scripts), process.env)
  process.off('SIGINT', stopEarly)
  process.off('SIGTERM', stopEarly)
  process.exitCode = await handOver(node, env)
} catch (error) {
  if (!(error instanceof Refusal)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}

/**
 * @param {string} node
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>}
 */
function handOver(node, env) {
  return new Promise((resolve, reject) => {
    const file = join(scripts, 'commands', `${command}.ts`)
    const child = spawn(node, ['--disable-warning=ExperimentalWarning', file, ...args], { env, stdio: 'inherit' })
    // Ctrl-C reaches the command through the terminal as well: it ends in its own order, and we after it.
    process.on('SIGINT', () => undefined)
    process.on('SIGTERM', () => child.kill('SIGTERM'))
    process.on('SIGHUP', () => child.kill('SIGHUP'))
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)))
  })
}
