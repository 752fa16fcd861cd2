import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createClient, createServer, defineJob, memoryStorage } from '../src/index.ts'
import type { JobStorage } from '../src/index.ts'

const job = defineJob({ name: 'job', run: () => undefined })
const minuteMs = 60_000

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance', 'Date'],
  })
})
afterEach(() => {
  vi.useRealTimers()
})

type Watching = { readonly instead?: Partial<JobStorage['wakeups']>; readonly push?: boolean }

/** A storage that writes down which of its methods is called, and when. */
function counted({ instead, push = true }: Watching = {}): { storage: JobStorage; at: (call: string) => number[] } {
  const inner = memoryStorage()
  const calls: { readonly name: string; readonly at: number }[] = []
  const room = <Room extends object>(name: string, methods: Room): Room =>
    Object.fromEntries(
      Object.entries(methods).map(([method, real]) => [
        method,
        (...args: unknown[]) => {
          calls.push({ name: `${name}.${method}`, at: performance.now() })
          return (real as (...args: unknown[]) => unknown)(...args)
        },
      ]),
    ) as Room
  return {
    storage: {
      ...inner,
      capabilities: { ...inner.capabilities, push },
      work: room('work', inner.work),
      upkeep: room('upkeep', inner.upkeep),
      recurring: room('recurring', inner.recurring),
      wakeups: { ...inner.wakeups, ...instead },
    },
    at: (call) => calls.filter(({ name }) => name.startsWith(call)).map(({ at }) => at),
  }
}

/** The longest time between two of them. */
function longestGap(at: readonly number[]): number {
  return Math.max(...at.slice(1).map((next, n) => next - at[n]!))
}

test('an idle server says nothing twice: what looks for work renews the lease, and nothing is looked for sooner than it can be due', async () => {
  const { storage, at } = counted()
  await using server = createServer({ storage, jobs: [job] })
  await server.start()
  await vi.advanceTimersByTimeAsync(20 * minuteMs)

  const perMinute = (call: string): number => at(call).length / 20
  expect(at('work.heartbeat')).toEqual([])
  expect(longestGap(at('work.exchange'))).toBeLessThan(7500)
  expect(perMinute('work.exchange')).toBeLessThan(9.5)
  expect(perMinute('upkeep.promote')).toBeLessThan(6.5)
  expect(longestGap(at('upkeep.promote'))).toBeLessThan(10_100)
  expect(perMinute('recurring.due')).toBeLessThan(1.2)
  expect(perMinute('')).toBeLessThan(24)
  expect(server.health().status).toBe('ok')
  const stopping = server.stop()
  await vi.advanceTimersByTimeAsync(1000)
  await stopping
})

test('a server whose slots are taken, and that looks for nothing, renews its lease once per heartbeat', async () => {
  const { storage, at } = counted()
  const over = Promise.withResolvers<void>()
  const long = defineJob({ name: 'long', run: () => over.promise })
  const client = createClient({ storage })
  await using server = createServer({ storage, jobs: [long], concurrency: 1 })
  await server.start()
  await client.enqueue(long, undefined)
  await vi.advanceTimersByTimeAsync(1000)
  const before = at('work.heartbeat').length
  await vi.advanceTimersByTimeAsync(10 * minuteMs)

  const beats = at('work.heartbeat')
  expect(beats.length - before).toBeGreaterThan(58)
  expect(beats.length - before).toBeLessThan(62)
  expect(longestGap(beats)).toBeLessThan(10_100)
  over.resolve()
  const stopping = server.stop()
  await vi.advanceTimersByTimeAsync(1000)
  await stopping
})

test('a server that hears of nothing finds jobs, due ones and schedules by looking', async () => {
  const ran: string[] = []
  const deafJob = defineJob({ name: 'deaf', run: (what: string) => void ran.push(what) })
  const deaf = { watch: () => Promise.resolve({ close: () => Promise.resolve() }) }
  const { storage } = counted({ instead: deaf })
  const client = createClient({ storage })
  await using server = createServer({ storage, jobs: [deafJob] })
  await server.start()
  await vi.advanceTimersByTimeAsync(minuteMs)

  await client.enqueue(deafJob, 'now')
  await vi.advanceTimersByTimeAsync(7500)
  expect(ran).toEqual(['now'])

  await client.schedule(deafJob, 'due', { in: '20s' })
  await vi.advanceTimersByTimeAsync(19_000)
  expect(ran).toEqual(['now'])
  await vi.advanceTimersByTimeAsync(1_100)
  expect(ran).toEqual(['now', 'due'])

  await client.recurring.put('each', { job: deafJob, input: 'recurring', every: '10m' })
  await vi.advanceTimersByTimeAsync(12 * minuteMs)
  expect(ran).toContain('recurring')
  const stopping = server.stop()
  await vi.advanceTimersByTimeAsync(1000)
  await stopping
})
