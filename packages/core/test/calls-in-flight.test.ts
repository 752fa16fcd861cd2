import { describe, expect, test } from 'vitest'
import { QError, createClient, createServer, defineJob, memoryStorage } from '../src/index.ts'
import type { JobStorage } from '../src/index.ts'
import type { Exchange, ExchangeResult } from '../src/storage/index.ts'

type Send = (call: Exchange) => Promise<ExchangeResult>

/** A storage whose exchanges go through somebody's hands; `most` is how many were there at once. */
function through(inner: JobStorage, carry: (call: Exchange, send: Send) => Promise<ExchangeResult>) {
  const seen = { most: 0, now: 0 }
  const exchange: Send = async (call) => {
    seen.most = Math.max(seen.most, ++seen.now)
    try {
      return await carry(call, (sent) => inner.work.exchange(sent))
    } finally {
      seen.now--
    }
  }
  const storage: JobStorage = { ...inner, work: { ...inner.work, exchange } }
  return { seen, storage }
}

const jobs = 2_000
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function drain(storage: JobStorage): Promise<Map<number, number>> {
  const runs = new Map<number, number>()
  const done = Promise.withResolvers<void>()
  const count = defineJob<{ n: number }>()({ name: 'count' })
  const client = createClient({ storage })
  await client.enqueueMany(
    count,
    Array.from({ length: jobs }, (_, n) => ({ n })),
  )
  const server = createServer({ storage, jobs: [count], concurrency: 50 }).handle(count, ({ n }) => {
    runs.set(n, (runs.get(n) ?? 0) + 1)
    if (runs.size === jobs) done.resolve()
  })
  await server.start()
  await done.promise
  await server.stop()
  return runs
}

describe('calls in flight', () => {
  test('are as many as the storage allows, while there is enough to say', async () => {
    const { seen, storage } = through(memoryStorage(), async (call, send) => {
      await turn()
      const answer = await send(call)
      await turn()
      return answer
    })
    await drain(storage)
    expect(seen.most).toBe(storage.capabilities.callsInFlight)
    expect((await storage.monitor.counts()).byPhase.succeeded).toBe(jobs)
  })

  test('are one where the storage allows no more', async () => {
    const inner = memoryStorage()
    const { seen, storage } = through(inner, async (call, send) => {
      await turn()
      return send(call)
    })
    await drain({ ...storage, capabilities: { ...inner.capabilities, callsInFlight: undefined } })
    expect(seen.most).toBe(1)
  })

  test('that break together lose no job and end none twice', async () => {
    let calls = 0
    let broken = 0
    const { seen, storage } = through(memoryStorage(), async (call, send) => {
      await turn()
      // The line breaks, in threes: one that was carried out, one that never arrived, one that certainly did not.
      const fate = ++calls % 20
      if (fate === 7 || fate === 8) {
        broken++
        if (fate === 7) await send(call)
        throw new QError('Q_AMBIGUOUS', 'the answer was lost')
      }
      if (fate === 9) {
        broken++
        throw new QError('Q_STORAGE_UNAVAILABLE', 'nothing was sent')
      }
      const answer = await send(call)
      await turn()
      return answer
    })
    const runs = await drain(storage)
    expect(broken).toBeGreaterThan(2)
    expect(seen.most).toBe(2)
    expect([...runs.values()].filter((times) => times !== 1)).toEqual([])
    const { byPhase } = await storage.monitor.counts()
    expect(byPhase.succeeded).toBe(jobs)
  })

  test('are one while notes are under way: they arrive before the end of their run, also when the call breaks', async () => {
    const mayEnd = Promise.withResolvers<void>()
    let broken = false
    const inner = memoryStorage()
    const { seen, storage } = through(inner, async (call, send) => {
      await turn()
      if (call.notes === undefined || broken) return send(call)
      broken = true
      seen.most = 0
      mayEnd.resolve()
      for (let turns = 0; turns < 50; turns++) await turn()
      throw new QError('Q_AMBIGUOUS', 'the call never arrived')
    })
    const talk = defineJob({
      name: 'talk',
      async run(_input: void, { log }) {
        log.info('heard')
        await mayEnd.promise
      },
    })
    const count = defineJob({ name: 'count', run: () => mayEnd.promise })
    const client = createClient({ storage })
    const talking = await client.enqueue(talk)
    await client.enqueueMany(
      count,
      Array.from({ length: 49 }, () => undefined),
    )
    await using server = createServer({ storage, jobs: [talk, count], concurrency: 50 })
    await server.start()
    await expect.poll(async () => (await inner.monitor.counts()).byPhase.succeeded).toBe(50)
    expect((await inner.monitor.logs(talking.id)).items.map(({ text }) => text)).toEqual(['["info","heard"]'])
    expect(broken).toBe(true)
  })
})
