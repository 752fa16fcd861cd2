import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { QError, createClient, createServer, defineJob, memoryStorage } from '../src/index.ts'
import type { JobStorage } from '../src/index.ts'
import type { ExchangeResult } from '../src/storage/index.ts'
import { gate, startFleet, until } from './fleet.ts'

const echo = defineJob({ name: 'echo', run: (input: unknown) => input })

/** A storage whose rooms can be made to fail, one method at a time. */
function failing(storage: JobStorage): {
  storage: JobStorage
  fail: Map<string, (real: () => Promise<unknown>) => Promise<unknown>>
} {
  const fail = new Map<string, (real: () => Promise<unknown>) => Promise<unknown>>()
  const room = <T extends object>(name: string, real: T): T =>
    new Proxy(real, {
      get(target, key) {
        const method: unknown = Reflect.get(target, key)
        if (typeof method !== 'function') return method
        return (...args: unknown[]) => {
          const call = (): Promise<unknown> => Promise.resolve(Reflect.apply(method, target, args))
          const plan = fail.get(`${name}.${String(key)}`) ?? fail.get('*')
          return plan === undefined ? call() : plan(call)
        }
      },
    })
  const rooms = Object.fromEntries(
    (['jobs', 'work', 'upkeep', 'recurring', 'locks', 'queues', 'monitor'] as const).map((name) => [
      name,
      room(name, storage[name]),
    ]),
  )
  const wrapped = new Proxy(storage, { get: (target, key) => Reflect.get(rooms, key) ?? Reflect.get(target, key) })
  return { storage: wrapped, fail }
}

const unavailable = (): Promise<never> => Promise.reject(new QError('Q_STORAGE_UNAVAILABLE', 'the storage is away'))
const loseReply = async (real: () => Promise<unknown>): Promise<never> => {
  await real()
  throw new QError('Q_AMBIGUOUS', 'the reply was lost')
}

describe('a server', () => {
  test('never runs more than its slots, and keeps them full', async () => {
    let running = 0
    let most = 0
    const job = defineJob({
      name: 'job',
      async run() {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, 1))
        running--
      },
    })
    await using fleet = await startFleet({ jobs: [job], concurrency: 4 })
    await fleet.client.enqueueMany(
      job,
      Array.from({ length: 400 }, () => undefined as never),
    )
    await until(
      () => fleet.client.monitor.counts(),
      ({ byPhase }) => byPhase.succeeded === 400,
    )
    expect(most).toBe(4)
  })

  test('serves a list of queues in strict order, and shares in turn', async () => {
    const order: string[] = []
    const job = defineJob({ name: 'job', run: (_: void, ctx) => void order.push(ctx.queue) })
    const storage = memoryStorage()
    const client = createClient({ storage })
    for (const queue of ['low', 'high', 'low', 'high']) await client.enqueue(job, undefined, { queue })
    await using strict = await startFleet({ storage, jobs: [job], queues: ['high', 'low'], concurrency: 1 })
    await until(
      () => order.length,
      (length) => length === 4,
    )
    expect(order).toEqual(['high', 'high', 'low', 'low'])
    await strict.server.stop()
    const shared = createServer({ storage, jobs: [job], queues: { high: 1, 'video.>': { concurrency: 2 } } })
    await shared.start()
    await client.enqueue(job, undefined, { queue: 'video.eu.hd' })
    await until(
      () => order.at(-1),
      (queue) => queue === 'video.eu.hd',
    )
    expect(shared.health().concurrency).toBe(3)
    await shared.stop()
  })

  test('a queue never gets more than its share of the slots', async () => {
    let inMail = 0
    let most = 0
    const job = defineJob({
      name: 'job',
      async run(_: void, ctx) {
        if (ctx.queue === 'mail') most = Math.max(most, ++inMail)
        await new Promise((resolve) => setTimeout(resolve, 1))
        if (ctx.queue === 'mail') inMail--
      },
    })
    await using fleet = await startFleet({ jobs: [job], queues: { mail: 2, default: 5 } })
    await Promise.all(
      Array.from({ length: 60 }, (_, n) => fleet.client.enqueue(job, undefined, { queue: n % 2 ? 'mail' : 'default' })),
    )
    await until(
      () => fleet.client.monitor.counts(),
      ({ byPhase }) => byPhase.succeeded === 60,
    )
    expect(most).toBe(2)
  })

  test('a paused queue is left alone until it is resumed', async () => {
    await using fleet = await startFleet({ jobs: [echo] })
    await fleet.client.queues.pause('default', { reason: 'outage', by: 'ada' })
    const handle = await fleet.client.enqueue(echo, 1)
    expect((await fleet.client.explain(handle.id))!.blockers[0]!.text).toBe(
      'The queue "default" is paused by ada ("outage").',
    )
    await fleet.client.queues.resume('default')
    expect(await handle.result({ timeout: '5s' })).toBe(1)
  })

  test('survives an outage of its storage without losing or repeating anything', async () => {
    const runs = new Map<number, number>()
    const job = defineJob({ name: 'job', run: (n: number) => void runs.set(n, (runs.get(n) ?? 0) + 1) })
    const { storage, fail } = failing(memoryStorage())
    const client = createClient({ storage })
    await using server = createServer({ storage, jobs: [job], heartbeat: 200, lease: 2000 })
    await server.start()
    expect(server.health().status).toBe('ok')
    fail.set('*', unavailable)
    await until(
      () => server.health().status,
      (status) => status === 'degraded',
    )
    await expect(client.enqueue(job, 0)).rejects.toMatchObject({ code: 'Q_STORAGE_UNAVAILABLE' })
    fail.clear()
    await client.enqueueMany(
      job,
      Array.from({ length: 100 }, (_, n) => n),
    )
    await until(
      () => storage.monitor.counts(),
      ({ byPhase }) => byPhase.succeeded === 100,
    )
    await until(
      () => server.health().status,
      (status) => status === 'ok',
    )
    expect([...runs.values()].every((times) => times === 1)).toBe(true)
  })

  test('finds out what became of calls whose replies were lost', async () => {
    const runs = new Map<number, number>()
    const job = defineJob({ name: 'job', run: (n: number) => void runs.set(n, (runs.get(n) ?? 0) + 1) })
    const { storage, fail } = failing(memoryStorage())
    await using client = createClient({ storage })
    await using server = createServer({ storage, jobs: [job], concurrency: 5 })
    await server.start()
    let calls = 0
    fail.set('work.exchange', (real) => (calls++ % 2 === 0 ? loseReply(real) : real()))
    let creates = 0
    fail.set('jobs.create', (real) => (creates++ % 2 === 0 ? loseReply(real) : real()))
    for (let n = 0; n < 100; n++) expect((await client.enqueue(job, n)).created).toBe(true)
    await until(
      () => storage.monitor.counts(),
      ({ byPhase }) => byPhase.succeeded === 100,
      20_000,
    )
    expect(runs.size).toBe(100)
    expect([...runs.values()].every((times) => times === 1)).toBe(true)
    expect(calls).toBeGreaterThan(10)
  })

  test('a command whose reply was lost is not carried out twice', async () => {
    const { storage, fail } = failing(memoryStorage())
    await using client = createClient({ storage })
    const handle = await client.enqueue(echo, 1)
    fail.set('jobs.apply', (real) => {
      fail.clear()
      return loseReply(real)
    })
    expect(await client.delete(handle.id)).toEqual({ applied: true })
    expect((await client.get(handle.id))!.history.map(({ state }) => state)).toEqual(['enqueued', 'deleted'])
  })

  test('an answer that never becomes clear is said to be unclear, and the job is there once', async () => {
    const { storage, fail } = failing(memoryStorage())
    await using client = createClient({ storage, deadline: 100 })
    fail.set('jobs.create', loseReply)
    await expect(client.enqueue(echo, 1)).rejects.toMatchObject({ code: 'Q_AMBIGUOUS' })
    expect((await storage.monitor.counts()).byPhase.ready).toBe(1)
  })

  test('starts over with a new session when its own was lost, and aborts what it ran', async () => {
    const started = gate()
    let aborted: unknown
    let runs = 0
    const release = gate()
    const job = defineJob({
      name: 'job',
      async run(_: void, ctx) {
        if (runs++ > 0) return 'again'
        ctx.signal.addEventListener('abort', () => (aborted = ctx.signal.reason))
        started.open()
        await release.opened
        return 'zombie'
      },
    })
    const { storage, fail } = failing(memoryStorage())
    await using client = createClient({ storage })
    await using server = createServer({ storage, jobs: [job], lease: 600, heartbeat: 100 })
    await using other = createServer({ storage: storage, jobs: [], queues: ['elsewhere'], lease: 600, heartbeat: 100 })
    await server.start()
    const handle = await client.enqueue(job)
    await started.opened
    const before = server.health().session
    // Only this server is cut off: its heartbeats and calls get no answer, while others go on.
    fail.set('work.heartbeat', unavailable)
    fail.set('work.exchange', unavailable)
    fail.set('work.open', unavailable)
    await until(
      () => aborted,
      (seen) => seen instanceof QError,
    )
    fail.clear()
    await other.start()
    expect(
      await until(
        () => server.health().session,
        (id) => id !== null && id !== before,
      ),
    ).toBeTruthy()
    release.open()
    expect(await handle.result({ timeout: '15s' })).toBe('again')
  })

  test('starts nothing out of an answer that is older than its lease', async () => {
    let starts = 0
    const job = defineJob({ name: 'job', run: () => void starts++ })
    const { storage, fail } = failing(memoryStorage())
    await using client = createClient({ storage })
    await using server = createServer({ storage, jobs: [job], lease: 600, heartbeat: 100 })
    fail.set('work.exchange', async (real) => {
      const reply = (await real()) as ExchangeResult
      if (reply.claimed.length === 0) return reply
      fail.clear()
      // The process stands still with the answer at hand, and meanwhile its session is buried.
      await storage.work.end(server.health().session!)
      const endsAt = performance.now() + 520
      while (performance.now() < endsAt);
      return reply
    })
    await server.start()
    const handle = await client.enqueue(job)
    await handle.result({ timeout: '5s' })
    expect(fail.size).toBe(0)
    expect(starts).toBe(1)
  })

  test('takes a new session as often as it must, whether or not anybody gives it hints', async () => {
    const memory = memoryStorage()
    let watches = 0
    const wakeups = new Proxy(memory.wakeups, {
      get: (target, key) =>
        key === 'watch' && ++watches > 3 ? () => new Promise(() => undefined) : Reflect.get(target, key, target),
    })
    const storage = new Proxy(memory, {
      get: (target, key) => (key === 'wakeups' ? wakeups : Reflect.get(target, key)),
    })
    const ran: number[] = []
    const job = defineJob({ name: 'job', run: (n: number) => void ran.push(n) })
    await using client = createClient({ storage: memory })
    await using server = createServer({ storage, jobs: [job], lease: 600, heartbeat: 100 })
    await server.start()
    for (let round = 0; round < 3; round++) {
      await memory.work.end(server.health().session!)
      await client.enqueue(job, round)
      await until(() => ran.length === round + 1)
    }
    expect(ran).toEqual([0, 1, 2])
  })

  test('stops in phases: waits, aborts, hands back without charging the attempt', async () => {
    const started = gate()
    const job = defineJob({
      name: 'job',
      run: (_: void, ctx) =>
        new Promise<string>((resolve, reject) => {
          if (ctx.attempt > 1) return resolve('never')
          started.open()
          ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error))
        }),
    })
    const storage = memoryStorage()
    const client = createClient({ storage })
    const server = createServer({ storage, jobs: [job] })
    await server.start()
    const handle = await client.enqueue(job)
    await started.opened
    await server.stop({ grace: 20 })
    expect(server.health().status).toBe('stopped')
    expect(await client.get(handle.id)).toMatchObject({
      state: 'enqueued',
      attempt: 0,
      crashes: 0,
      attempts: [{ outcome: 'handed back' }],
    })
    await expect(server.start()).rejects.toMatchObject({ code: 'Q_CLOSED' })
    await server.stop()
  })

  test('a stop ends in time while the storage is away, and leaves no timer behind', async () => {
    const program = `
      import { createServer, defineJob, memoryStorage, QError } from '@q/core'
      const storage = memoryStorage()
      const server = createServer({ storage, jobs: [defineJob({ name: 'a', run: () => 1 })], lease: 600, heartbeat: 100 })
      await server.start()
      storage.work.exchange = storage.work.heartbeat = storage.work.end = () => new Promise(() => {})
      await storage.jobs.create([{ id: '01M00000000000000000000000', queue: 'default', name: 'a', version: 1, payload: '1', state: { name: 'enqueued', phase: 'ready' } }])
      await new Promise((resolve) => setTimeout(resolve, 300))
      const from = performance.now()
      await server.stop({ grace: 500 })
      console.log('stopped', performance.now() - from < 3000)
      setTimeout(() => { console.log('still alive'); process.exit(3) }, 3000).unref()
    `
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=@q/source', '--input-type=module', '-e', program],
      { cwd: import.meta.dirname },
    )
    expect(stdout.trim()).toBe('stopped true')
  })

  test('run() resolves once its signal stopped it', async () => {
    const ends = new AbortController()
    const server = createServer({ storage: memoryStorage(), jobs: [echo] })
    const running = server.run({ signal: ends.signal })
    await until(
      () => server.health().status,
      (status) => status === 'ok',
    )
    ends.abort()
    await running
    expect(server.health().status).toBe('stopped')
  })

  test('handlers get what the server provides, and a clear error for what it does not', async () => {
    const job = defineJob({ name: 'job', retry: false, run: (key: string, ctx) => ctx.use(key) })
    await using fleet = await startFleet({ jobs: [job], provide: { db: 'the database' } })
    expect(await (await fleet.client.enqueue(job, 'db')).result({ timeout: '5s' })).toBe('the database')
    await expect((await fleet.client.enqueue(job, 'cache')).result({ timeout: '5s' })).rejects.toThrow(
      'Add it to `provide` of createServer',
    )
  })

  test('work may be attached to a definition without any; a job without work is refused at start', async () => {
    const bare = defineJob<{ n: number }, number>()({ name: 'bare' })
    const storage = memoryStorage()
    const server = createServer({ storage, jobs: [bare] })
    await expect(server.start()).rejects.toThrow('Nobody said how to run "bare"')
    server.handle(bare, ({ n }) => n + 1)
    await server.start()
    expect(await (await createClient({ storage }).enqueue(bare, { n: 1 })).result({ timeout: '5s' })).toBe(2)
    await server.stop()
  })

  test('options that cannot work are refused when the server is made', () => {
    const storage = memoryStorage()
    const make = (options: object) => () => createServer({ storage, ...options })
    expect(make({ concurrency: 0 })).toThrow('`concurrency` is 0')
    expect(make({ lease: '1s', heartbeat: '900ms' })).toThrow(/cannot keep a lease/)
    expect(make({ lease: -5 })).toThrow(/"lease" cannot be -5/)
    expect(make({ jobs: [echo, defineJob({ name: 'echo', run: () => 1 })] })).toThrow(
      'Two different definitions are called "echo"',
    )
    expect(() => defineJob({ name: '' })).toThrow('job name "" is empty')
    expect(() => defineJob({ name: 'a', version: 2, upgrade: { 2: (old: unknown) => old } })).toThrow(/upgrade from 2/)
    expect(() => defineJob({ name: 'a', timeout: 0 })).toThrow(/timeout of job "a"/)
    expect(() => defineJob({ name: 'a', concurrency: { limit: 0 } })).toThrow('"concurrency.limit" of job "a" is 0')
    expect(() => defineJob({ name: 'a', input: {} as never })).toThrow('is no schema')
  })

  test('a handler that throws asynchronously, synchronously, or something odd never harms the others', async () => {
    const job = defineJob({
      name: 'job',
      retry: false,
      run(kind: string) {
        if (kind === 'sync') throw new Error('sync')
        // oxlint-disable-next-line no-throw-literal -- that is the point
        if (kind === 'odd') throw undefined
        return Promise.reject(new Error('async'))
      },
    })
    await using fleet = await startFleet({ jobs: [job, echo] })
    for (const kind of ['sync', 'odd', 'async'])
      await expect((await fleet.client.enqueue(job, kind)).result({ timeout: '5s' })).rejects.toMatchObject({
        code: 'Q_JOB_FAILED',
      })
    expect(await (await fleet.client.enqueue(echo, 'fine')).result({ timeout: '5s' })).toBe('fine')
  })

  test('a job whose server is lost three times ends in failed, and its neighbours finish', async () => {
    const storage = memoryStorage()
    await using client = createClient({ storage })
    const poison = await client.enqueue(echo, 'poison')
    for (let crash = 0; crash < 3; crash++) {
      const id = `S${crash}`
      await storage.work.open({ id, server: 'doomed', ttl: 40, info: '{}' })
      await storage.work.exchange({
        session: id,
        call: 1,
        apply: [],
        claim: { max: 1, queues: [{ name: 'default' }], state: { name: 'processing', phase: 'active' } },
      })
      await until(
        () => storage.upkeep.recover(10),
        ({ jobs }) => jobs.length === 1,
      )
    }
    expect(await client.get(poison.id)).toMatchObject({
      state: 'failed',
      crashes: 3,
      reason: 'lost with its server too often',
    })
  })
})
