import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { startPgBouncer, startPostgres, startRedis, startRedisCluster } from '../services/index.ts'
import { identify } from '../services/process-identity.ts'
import { sweepLeftovers } from '../services/scratch-folder.ts'

const execute = promisify(execFile)
const wrapper = join(import.meta.dirname, '../services.mjs')
const cleanups: Array<() => unknown> = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function connectRedis(url: string): Redis {
  const redis = new Redis(url, { retryStrategy: () => null })
  redis.on('error', () => undefined)
  cleanups.push(() => redis.disconnect())
  return redis
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat()
  } finally {
    await client.end()
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 20_000; !condition(); await delay(10)) {
    if (Date.now() > deadline) throw new Error('The condition did not come true in 20 s.')
  }
}

describe('a private Redis', () => {
  it('keeps what it acknowledged over a kill, on the same port', async () => {
    await using server = await startRedis({ aof: 'always' })
    await connectRedis(server.url).set('kept', 'yes')
    const before = server.pid
    await server.kill('SIGKILL')
    expect(server.isRunning).toBe(false)
    await server.restart()
    expect(server.pid).not.toBe(before)
    expect(await connectRedis(server.url).get('kept')).toBe('yes')
  })

  it('takes settings by their names', async () => {
    await using server = await startRedis({ settings: { maxmemory: '7340032', 'maxmemory-policy': 'noeviction' } })
    expect(await connectRedis(server.url).config('GET', 'maxmemory')).toEqual(['maxmemory', '7340032'])
  })

  it('freezes and thaws', async () => {
    await using server = await startRedis()
    const redis = connectRedis(server.url)
    await redis.ping()
    await server.kill('SIGSTOP')
    let answered = false
    const ping = redis.ping().then(() => (answered = true))
    const frozen = new Redis(server.url, { retryStrategy: () => null, commandTimeout: 200 })
    frozen.on('error', () => undefined)
    await expect(frozen.ping()).rejects.toThrow('Command timed out')
    frozen.disconnect()
    expect(answered).toBe(false)
    await server.kill('SIGCONT')
    await ping
    expect(answered).toBe(true)
  })

  it('leaves neither process nor folder behind', async () => {
    const server = await startRedis()
    const { pid, folder } = server
    await server.stop()
    expect(identify(pid)).toBeNull()
    expect(existsSync(folder)).toBe(false)
  })
})

describe('a private Redis Cluster', () => {
  it('has three nodes that serve all slots, before and after a kill of all', async () => {
    await using cluster = await startRedisCluster({ aof: 'always' })
    const client = new Redis.Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })))
    client.on('error', () => undefined)
    cleanups.push(() => client.disconnect())
    const keys = Array.from({ length: 20 }, (_, index) => `key:${index}`)
    for (const key of keys) await client.set(key, key)
    await cluster.kill('SIGKILL')
    await cluster.restart()
    const again = new Redis.Cluster(cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })))
    cleanups.push(() => again.disconnect())
    expect(await Promise.all(keys.map((key) => again.get(key)))).toEqual(keys)
    expect(again.nodes('master')).toHaveLength(3)
  })
})

describe('a private PostgreSQL', () => {
  it('keeps what it committed over a kill of all its processes, on the same port', async () => {
    await using server = await startPostgres({ fsync: true, settings: { work_mem: '5MB' } })
    expect(await query(server.url, 'show fsync')).toEqual(['on'])
    expect(await query(server.url, 'show work_mem')).toEqual(['5MB'])
    await query(server.url, 'create table kept as select 42 as answer')
    await server.kill('SIGKILL')
    await server.restart()
    expect(await query(server.url, 'select answer from kept')).toEqual([42])
  })

  it('restarts in good order while it runs', async () => {
    await using server = await startPostgres()
    await query(server.url, 'create table kept as select 42 as answer')
    await server.restart()
    expect(await query(server.url, 'select answer from kept')).toEqual([42])
  })

  it('does not run as root, whoever starts it', async () => {
    await using server = await startPostgres()
    const { stdout } = await execute('ps', ['-o', 'user=', '-p', String(server.pid)])
    expect(stdout.trim()).not.toBe('root')
  })

  it('is reached through a PgBouncer that keeps no session between transactions', async () => {
    await using server = await startPostgres()
    await using bouncer = await startPgBouncer(server.url)
    expect(bouncer.port).not.toBe(server.port)
    const [first, second] = [new pg.Client(bouncer.url), new pg.Client(bouncer.url)]
    const backend = async (client: pg.Client): Promise<number> =>
      (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid ?? 0
    await Promise.all([first.connect(), second.connect()])
    // One after the other, two clients are given the same backend: no session of their own.
    expect(await backend(first)).toBe(await backend(second))
    await Promise.all([first.end(), second.end()])
  })
})

describe('the wrapper', () => {
  const show = ['node', '-e', 'console.log(process.env.REDIS_URL)']

  it('gives every service its variable, and exits like its command', async () => {
    const names = ['REDIS_URL', 'REDIS_CLUSTER_URLS', 'DATABASE_URL', 'PGBOUNCER_URL', 'CHROMIUM_PATH']
    const code = `console.log(${JSON.stringify(names)}.map((name) => process.env[name])); process.exitCode = 3`
    const env = { ...process.env, REDIS_URL: '', REDIS_CLUSTER_URLS: '', DATABASE_URL: '', PGBOUNCER_URL: '' }
    const error = await execute('node', [wrapper, 'node', '-e', code], { env }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 3 })
    const { stdout } = error as { stdout: string }
    expect(stdout.match(/redis:\/\/127\.0\.0\.1:\d+/g)).toHaveLength(4)
    expect(stdout.match(/postgres:\/\/postgres@127\.0\.0\.1:\d+\/postgres/g)).toHaveLength(2)
    expect(stdout).toMatch(/chrom/i)
  })

  it('never takes a server that merely happens to run here', async () => {
    const env = { ...process.env, REDIS_URL: '' }
    const { stdout } = await execute('node', [wrapper, '--only=redis', ...show], { env })
    expect(Number(new URL(stdout.trim()).port)).not.toBe(6379)
  })

  it('uses a server that is named', async () => {
    await using server = await startRedis()
    const env = { ...process.env, REDIS_URL: server.url }
    const { stdout } = await execute('node', [wrapper, '--only=redis', ...show], { env })
    expect(stdout.trim()).toBe(server.url)
    expect(server.isRunning).toBe(true)
  })

  it('refuses a named server that does not answer, instead of starting another', async () => {
    const closed = createServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const { port } = closed.address() as { port: number }
    closed.close()
    await once(closed, 'close')
    for (const [only, env] of [
      ['redis', { REDIS_URL: `redis://:secret@127.0.0.1:${port}` }],
      ['postgres', { DATABASE_URL: `postgres://postgres:secret@127.0.0.1:${port}/postgres` }],
    ] as const) {
      const error = await execute('node', [wrapper, `--only=${only}`, ...show], {
        env: { ...process.env, ...env },
      }).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 1, stdout: '' })
      const { stderr } = error as { stderr: string }
      expect(stderr).toMatch(/_URL names a server that does not answer .*, or unset it to have a private one started\./)
      expect(stderr).not.toContain('secret')
    }
  })

  it('says how it is used when it is used otherwise', async () => {
    await expect(execute('node', [wrapper])).rejects.toThrow('No command given. Usage:')
    await expect(execute('node', [wrapper, '--only=oracle', 'true'])).rejects.toThrow('There is no service "oracle"')
  })

  it('runs side by side with another run, and neither disturbs the other', async () => {
    const code = `
      const { Redis } = require('ioredis')
      const redis = new Redis(process.env.REDIS_URL)
      redis.setnx('owner', process.pid)
        .then(() => new Promise((resolve) => process.stdin.once('data', resolve)))
        .then(() => redis.get('owner'))
        .then((owner) => { console.log(owner === String(process.pid)); redis.disconnect(); process.stdin.destroy() })
      console.log(process.env.REDIS_URL, process.env.DATABASE_URL)
    `
    const env = { ...process.env, REDIS_URL: '', DATABASE_URL: '' }
    const start = (): { said: string[]; go(): void; ended: Promise<unknown> } => {
      const child = spawn('node', [wrapper, '--only=redis,postgres', 'node', '-e', code], { env, stdio: 'pipe' })
      const said: string[] = []
      child.stdout.setEncoding('utf8').on('data', (text: string) => said.push(...text.trim().split(/\s+/)))
      cleanups.push(() => child.kill())
      return { said, go: () => child.stdin.end('go\n'), ended: once(child, 'exit') }
    }
    const [first, second] = [start(), start()]
    await until(() => first.said.length === 2 && second.said.length === 2)
    expect(new Set([...first.said, ...second.said]).size).toBe(4)
    first.go()
    expect(await first.ended).toEqual([0, null])
    // The first has swept and stopped what was its own; the second still has its server.
    second.go()
    expect(await second.ended).toEqual([0, null])
    expect([first.said[2], second.said[2]]).toEqual(['true', 'true'])
  })

  it('stops its servers on Ctrl-C, after its command', async () => {
    const code = `process.on('SIGINT', () => { console.log('bye'); process.exit(0) }); setInterval(() => {}, 1000); console.log(process.env.REDIS_URL)`
    const child = spawn('node', [wrapper, '--only=redis', 'node', '-e', code], {
      env: { ...process.env, REDIS_URL: '' },
      stdio: 'pipe',
      detached: true,
    })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
    await until(() => said.includes('redis://'))
    const url = said.trim()
    // As a terminal does: to the whole group.
    process.kill(-(child.pid ?? 0), 'SIGINT')
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(said).toContain('bye')
    await expect(connectRedis(url).ping()).rejects.toThrow('Connection is closed')
  })
})

describe('leftovers of a crashed run', () => {
  it('are swept by the next run, and nobody else loses a server', async () => {
    await using bystander = await startRedis()
    const module = JSON.stringify(join(import.meta.dirname, '../services/index.ts'))
    const code = `
      const { startRedis, startPostgres } = await import(${module})
      const servers = [await startRedis(), await startPostgres()]
      console.log(JSON.stringify(servers.map(({ pid, folder }) => ({ pid, folder }))))
      process.kill(process.pid, 'SIGKILL')
    `
    const crash = await execute('node', ['--input-type=module', '-e', code]).catch((reason: unknown) => reason)
    expect(crash).toMatchObject({ signal: 'SIGKILL' })
    const left = JSON.parse((crash as { stdout: string }).stdout) as Array<{ pid: number; folder: string }>
    await sweepLeftovers()
    // Another run on this machine may be the one that sweeps them.
    await until(() => left.every(({ pid, folder }) => identify(pid) === null && !existsSync(folder)))
    expect(bystander.isRunning).toBe(true)
  })

  it('end with the process that started them when it ends by itself', async () => {
    const module = JSON.stringify(join(import.meta.dirname, '../services/index.ts'))
    const code = `
      const { startRedis } = await import(${module})
      const { pid, folder } = await startRedis()
      console.log(JSON.stringify({ pid, folder }))
      process.exit(0)
    `
    const { stdout } = await execute('node', ['--input-type=module', '-e', code])
    const { pid, folder } = JSON.parse(stdout) as { pid: number; folder: string }
    expect(identify(pid)).toBeNull()
    expect(existsSync(folder)).toBe(false)
    expect(existsSync(join(folder, '..')) ? readdirSync(join(folder, '..')) : []).toEqual([])
  })
})
