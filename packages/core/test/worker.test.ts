import { describe, expect, test } from 'vitest'
import type { Clock } from '../src/clock.ts'
import { systemClock } from '../src/clock.ts'
import { QError, createClient, createServer, defineJob, memoryStorage } from '../src/index.ts'
import type { JobStorage } from '../src/index.ts'
import type { Exchange, ExchangeResult } from '../src/storage/index.ts'
import { until } from './fleet.ts'

type Exchanging = (call: Exchange) => Promise<ExchangeResult>

/** A storage whose exchanges go through `meet`. */
function meeting(storage: JobStorage, meet: (call: Exchange, real: Exchanging) => Promise<ExchangeResult>): JobStorage {
  return { ...storage, work: { ...storage.work, exchange: (call) => meet(call, storage.work.exchange) } }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a worker', () => {
  test('lets the rest of the process have its turns while neither storage nor handlers wait for anything', async () => {
    const storage = memoryStorage()
    let ran = 0
    const job = defineJob({ name: 'job', run: () => void ran++ })
    await using client = createClient({ storage })
    for (let n = 0; n < 4; n++) {
      await client.enqueueMany(
        job,
        Array.from({ length: 10_000 }, () => undefined as never),
      )
    }
    await using server = createServer({ storage, jobs: [job], concurrency: 100 })
    await server.start()
    let [most, before] = [0, 0]
    while (ran < 40_000) {
      await turn()
      most = Math.max(most, ran - before)
      before = ran
    }
    expect(most).toBeLessThan(10_000)
  })

  test('asks for whole numbers of jobs, also where a call takes an odd number of items', async () => {
    const quick = defineJob({ name: 'quick', run: () => undefined })
    const asked: number[] = []
    const inner = memoryStorage()
    const storage: JobStorage = {
      ...meeting(inner, (call, real) => {
        if (call.claim !== undefined) asked.push(call.claim.extra ?? 0, ...call.claim.queues.map(({ max = 0 }) => max))
        return real(call)
      }),
      capabilities: { ...inner.capabilities, maxBatch: 5 },
    }
    const client = createClient({ storage: inner })
    await client.enqueueMany(
      quick,
      Array.from({ length: 100 }, () => undefined),
    )
    await using server = createServer({ storage, jobs: [quick], concurrency: 4 })
    await server.start()
    await until(
      () => client.monitor.counts(),
      ({ byPhase }) => byPhase.succeeded === 100,
    )
    expect(asked.filter((n) => !Number.isInteger(n))).toEqual([])
  })

  test('runs what a call has claimed although it is told that the call is closed, as of one that was sent twice', async () => {
    const job = defineJob({ name: 'job', run: () => 'done' })
    let wasSentTwice = false
    const inner = memoryStorage()
    const storage = meeting(inner, async (call, real) => {
      const reply = await real(call)
      if (wasSentTwice || reply.claimed.length === 0) return reply
      wasSentTwice = true
      return real(call)
    })
    const client = createClient({ storage: inner })
    await using server = createServer({ storage, jobs: [job] })
    await server.start()
    const handle = await client.enqueue(job)
    expect(await handle.result({ timeout: '5s' })).toBe('done')
    expect(wasSentTwice).toBe(true)
  })

  test('stores what a run has logged, although the run ended while the call with its lines was failing', async () => {
    const failing = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<void>()
    const chatty = defineJob({
      name: 'chatty',
      async run(_input: void, ctx) {
        ctx.log.info('one')
        await failing.promise
        ctx.log.info('two')
        ended.resolve()
      },
    })
    let hasFailed = false
    const inner = memoryStorage()
    const storage = meeting(inner, async (call, real) => {
      if (hasFailed || call.notes === undefined) return real(call)
      hasFailed = true
      failing.resolve()
      await ended.promise
      await turn()
      throw new QError('Q_STORAGE_UNAVAILABLE', 'the storage is away')
    })
    const client = createClient({ storage: inner })
    await using server = createServer({ storage, jobs: [chatty] })
    await server.start()
    const handle = await client.enqueue(chatty)
    await handle.result({ timeout: '5s' })
    const { items } = await client.monitor.logs(handle.id)
    expect(items.map(({ text }) => text)).toEqual(['one', 'two'])
  })
})

test('a job that was taken away and runs again is not run beside its former run', async () => {
  let running = 0
  let most = 0
  const started: AbortSignal[] = []
  const job = defineJob({
    name: 'job',
    async run(_input: void, ctx) {
      started.push(ctx.signal)
      most = Math.max(most, ++running)
      if (started.length === 1) await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))
      running--
      return started.length
    },
  })
  const inner = memoryStorage()
  // No hints and no signals: the server hears nothing of what people do to its job.
  const storage: JobStorage = {
    ...meeting(inner, async (call, real) => {
      const reply = await real(call)
      return { ...reply, signals: { ...reply.signals, cancel: [] } }
    }),
    capabilities: { ...inner.capabilities, push: false },
  }
  const client = createClient({ storage: inner })
  await using server = createServer({ storage, jobs: [job] })
  await server.start()
  const handle = await client.enqueue(job)
  await until(() => started.length === 1)
  await client.delete(handle.id)
  await client.requeue(handle.id)
  expect(await handle.result({ timeout: '10s' })).toBe(2)
  expect(started[0]!.aborted).toBe(true)
  expect(most).toBe(1)
})

describe('a server that has stopped leaves no timer behind', () => {
  test('when a call was on its way that said what becomes due', async () => {
    const { clock, waiting } = countingClock()
    const job = defineJob({ name: 'job', run: () => undefined })
    const inner = memoryStorage()
    const client = createClient({ storage: inner })
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<void>()
    const storage = meeting(inner, async (call, real) => {
      const reply = await real(call)
      if (reply.nextDue === undefined) return reply
      asked.resolve()
      await answer.promise
      return reply
    })
    const server = createServer({ storage, jobs: [job], clock })
    await server.start()
    await client.schedule(job, undefined, { in: '7d' })
    await asked.promise
    const stopping = server.stop()
    await turn()
    answer.resolve()
    await stopping
    expect(waiting.size).toBe(0)
  })

  test('when a handler with a timeout ignores its signal', async () => {
    const { clock, waiting } = countingClock(100)
    const deaf = defineJob({ name: 'deaf', timeout: '7d', run: () => new Promise<void>(() => {}) })
    const storage = memoryStorage()
    const client = createClient({ storage })
    const server = createServer({ storage, jobs: [deaf], clock })
    await server.start()
    await client.enqueue(deaf)
    await until(
      () => server.health().running,
      (running) => running === 1,
    )
    await server.stop({ grace: 0 })
    expect(waiting.size).toBe(0)
  })
})

/** The system's clock, but so many times faster for timers, and all that are still to fire. */
function countingClock(faster = 1): { readonly clock: Clock; readonly waiting: ReadonlySet<object> } {
  const waiting = new Set<object>()
  const clock: Clock = {
    ...systemClock,
    timer(delayMs, fire, options) {
      const entry = {}
      const timer = systemClock.timer(
        delayMs / faster,
        () => {
          waiting.delete(entry)
          fire()
        },
        options,
      )
      waiting.add(entry)
      return {
        cancel() {
          waiting.delete(entry)
          timer.cancel()
        },
      }
    },
  }
  return { clock, waiting }
}
