import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isRunning } from './is-running.mjs'
import { Refusal } from './refusal.mjs'

/**
 * Fetches one package through the npm client, with whatever registry and proxy it is configured for, into a folder of
 * its own. Under its final name the folder is always complete.
 * @param {string} spec like `pnpm@11.0.0`
 * @param {string} folder
 * @param {NodeJS.ProcessEnv} env
 */
export async function fetchPackage(spec, folder, env) {
  if (existsSync(folder)) return
  sweepAborted(folder)
  const fresh = `${folder}.new-${process.pid}`
  mkdirSync(fresh, { recursive: true })
  writeFileSync(join(fresh, 'package.json'), '{ "private": true }\n')
  try {
    const flags = [
      '--no-audit',
      '--no-fund',
      '--no-package-lock',
      '--ignore-scripts',
      '--loglevel=error',
      '--global=false',
    ]
    await runNpm(['install', ...flags, '--prefix', fresh, spec], fresh, env)
    renameSync(fresh, folder)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

/**
 * Removes what fetches that were interrupted left half-way.
 * @param {string} folder
 */
function sweepAborted(folder) {
  const parent = dirname(folder)
  for (const entry of existsSync(parent) ? readdirSync(parent) : []) {
    const pid = entry.startsWith(`${basename(folder)}.new-`) ? Number(entry.split('-').pop()) : null
    if (pid !== null && !isRunning(pid)) rmSync(join(parent, entry), { recursive: true, force: true })
  }
}

/**
 * @param {readonly string[]} args
 * @param {string} cwd
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<string>} what npm printed
 */
export async function runNpm(args, cwd, env) {
  // Under `npm run` npm names itself; else it is looked for in PATH.
  const npm = env['npm_execpath']
  const isNpm = npm !== undefined && basename(npm) === 'npm-cli.js' && existsSync(npm)
  const { code, stdout, stderr } = isNpm
    ? await run(process.execPath, [npm, ...args], cwd, env)
    : await run('npm', args, cwd, env)
  if (code === 0) return stdout
  throw new Refusal(explainFailure(`npm ${args[0]}`, `${stderr}\n${stdout}`))
}

/**
 * @param {string} command
 * @param {string} output
 */
export function explainFailure(command, output) {
  const network = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT)\b/.exec(
    output,
  )
  if (network !== null) {
    return `"${command}" cannot reach the package registry (${network[1]}): connect to the network, or correct npm's registry or proxy setting, and run this command again.`
  }
  if (/\bENOSPC\b/.test(output)) return `"${command}" found the disk full: make room and run this command again.`
  return `"${command}" failed, and says:\n${output.trim()}`
}

/**
 * @param {string} file
 * @param {readonly string[]} args
 * @param {string} cwd
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>}
 */
export function run(file, args, cwd, env) {
  return new Promise((resolve, reject) => {
    // On Windows npm is a batch file, which only a shell can start.
    const shell = process.platform === 'win32' && file === 'npm'
    const child = spawn(file, args, { cwd, env, shell, stdio: ['ignore', 'pipe', 'pipe'] })
    // Whoever stops us stops what we started.
    const stop = () => child.kill()
    process.once('exit', stop)
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
    child.once('error', (error) => {
      const missing = /** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT'
      reject(missing ? new Refusal(`"${file}" is not in PATH: install it and run this command again.`) : error)
    })
    child.once('close', (code) => {
      process.off('exit', stop)
      resolve({ code: code ?? 1, stdout, stderr })
    })
  })
}
