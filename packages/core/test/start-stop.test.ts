import { describe, expect, test } from 'vitest'
import { QError, createClient, createServer, defineJob, memoryStorage } from '../src/index.ts'
import type { JobStorage } from '../src/index.ts'
import { until } from './fleet.ts'

const job = defineJob({ name: 'job', run: () => undefined })

/** A storage of which some methods of the work room are replaced. */
function withWork(inner: JobStorage, work: Partial<JobStorage['work']>): JobStorage {
  return { ...inner, work: { ...inner.work, ...work } }
}

describe('a server', () => {
  test('that is stopped while its start still waits for an answer runs nothing afterwards', async () => {
    const inner = memoryStorage()
    const answer = Promise.withResolvers<void>()
    const storage = withWork(inner, {
      async open(session) {
        await inner.work.open(session)
        await answer.promise
      },
    })
    const server = createServer({ storage, jobs: [job] })
    const starting = server.start().catch((error: unknown) => error)
    await until(async () => (await inner.monitor.sessions()).length === 1)
    await server.stop()
    answer.resolve()
    expect(await starting).toMatchObject({ code: 'Q_CLOSED' })
    expect(await inner.monitor.sessions()).toEqual([])
    expect(server.health()).toMatchObject({ status: 'stopped', session: null, processes: {} })
  })

  test('whose start fails leaves no session behind, and may start again', async () => {
    const inner = memoryStorage()
    let isAway = true
    const storage: JobStorage = {
      ...inner,
      monitor: {
        ...inner.monitor,
        async names(...asked) {
          if (isAway) throw new QError('Q_STORAGE_UNAVAILABLE', 'the storage is away')
          return inner.monitor.names(...asked)
        },
      },
    }
    await using server = createServer({ storage, jobs: [job], queues: ['*'] })
    await expect(server.start()).rejects.toMatchObject({ code: 'Q_STORAGE_UNAVAILABLE' })
    expect(await inner.monitor.sessions()).toEqual([])
    isAway = false
    await server.start()
    expect(await inner.monitor.sessions()).toHaveLength(1)
  })

  test('takes another session when the first was given up for lost before its answer came', async () => {
    const inner = memoryStorage()
    const opened: string[] = []
    const storage = withWork(inner, {
      async open(session) {
        opened.push(session.id)
        await inner.work.open(session)
        if (opened.length > 1) return
        await inner.work.end(session.id)
        throw new QError('Q_AMBIGUOUS', 'the reply was lost')
      },
    })
    await using server = createServer({ storage, jobs: [job] })
    await server.start()
    expect(server.health().session).toBe(opened.at(-1))
    expect(new Set(opened).size).toBe(2)
  })

  test('asks gently what is due while the storage has not yet said what time it is', async () => {
    const inner = memoryStorage()
    await createClient({ storage: inner }).schedule(job, undefined, { in: '7d' })
    const held = Promise.withResolvers<void>()
    let promotes = 0
    const storage: JobStorage = {
      ...withWork(inner, { exchange: (call) => held.promise.then(() => inner.work.exchange(call)) }),
      upkeep: {
        ...inner.upkeep,
        promote(limit) {
          promotes++
          return inner.upkeep.promote(limit)
        },
      },
    }
    await using server = createServer({ storage, jobs: [job] })
    await server.start()
    await until(() => promotes > 2)
    const before = promotes
    await new Promise((resolve) => setTimeout(resolve, 250))
    expect(promotes - before).toBeLessThan(8)
    held.resolve()
  })
})
