import type { Bench, Data, Place, StorageName } from './contender.ts'
import { dataOf } from './contender.ts'
import { machineNow } from './machine-now.ts'
import { holdSnapshot, readServer } from './server-probe.ts'

export type Figures = Readonly<Record<string, number>>

export interface Scenario {
  readonly name: string
  /** The figure people compare, its unit, and whether more of it is better. */
  readonly figure: string
  readonly unit: string
  readonly isRate: boolean
  /** Not given: on all of them. */
  readonly storages?: readonly StorageName[]
  /** Everybody only waits, so all are measured at once. */
  readonly isQuiet?: boolean
  run(bench: Bench, size: Size): Promise<Figures>
}

export interface Size {
  readonly storage: StorageName
  readonly place: Place
  /** 1 = as published; the short mode only proves that the bench runs. */
  readonly scale: number
  /** What the contender says of itself. */
  readonly mostDrained: number
  readonly isSerial: boolean
  readonly elsewhere: Elsewhere
}

/** A process beside this one, with the same contender in it. */
export interface Elsewhere {
  /** Enqueues one job after the other, and tells when it enqueued which, in milliseconds of the machine's clock. */
  send(count: number, everyMs: number): Promise<readonly number[]>
}

const bulk = 1000

export const scenarios: readonly Scenario[] = [
  {
    name: 'enqueue one by one',
    figure: 'jobs/s',
    unit: '/s',
    isRate: true,
    run: (bench, size) => enqueue(bench, jobs(size, 2000), 1),
  },
  {
    name: 'enqueue, 100 concurrent',
    figure: 'jobs/s',
    unit: '/s',
    isRate: true,
    run: (bench, size) => enqueue(bench, jobs(size, 20_000), 100),
  },
  { name: 'enqueue in bulk of 1,000', figure: 'jobs/s', unit: '/s', isRate: true, run: enqueueInBulk },
  {
    name: 'drain 20k, concurrency 10',
    figure: 'jobs/s',
    unit: '/s',
    isRate: true,
    run: (bench, size) => drain(bench, size, drained(size, 20_000), 10),
  },
  {
    name: 'drain 20k, concurrency 100',
    figure: 'jobs/s',
    unit: '/s',
    isRate: true,
    run: (bench, size) => drain(bench, size, drained(size, 20_000), 100),
  },
  {
    name: 'drain 20k beside an old snapshot',
    figure: 'jobs/s',
    unit: '/s',
    isRate: true,
    storages: ['postgres'],
    run: drainBesideSnapshot,
  },
  { name: 'drain from 500k, concurrency 100', figure: 'jobs/s', unit: '/s', isRate: true, run: drainFromMany },
  { name: 'handler of 5 ms, concurrency 100', figure: 'of the ideal', unit: '%', isRate: true, run: slowHandler },
  {
    name: 'latency at idle',
    figure: 'p50 ms',
    unit: 'ms',
    isRate: false,
    run: (bench, size) => latency(bench, jobs(size, 300), 20),
  },
  {
    name: 'latency at idle, from another process',
    figure: 'p50 ms',
    unit: 'ms',
    isRate: false,
    storages: ['redis', 'postgres', 'sqlite'],
    run: latencyBetweenProcesses,
  },
  {
    name: 'latency at 200 jobs/s',
    figure: 'p50 ms',
    unit: 'ms',
    isRate: false,
    run: (bench, size) => latency(bench, jobs(size, 1000), 5),
  },
  { name: 'idle worker', figure: 'commands/min', unit: '/min', isRate: false, isQuiet: true, run: idle },
]

function jobs({ scale }: Size, atFullScale: number): number {
  return Math.max(40, Math.round(atFullScale * scale))
}

/** Who looks for jobs at fixed times drains as many a second whatever there is: a few tell its pace. */
function drained(size: Size, atFullScale: number): number {
  return Math.min(jobs(size, atFullScale), size.mostDrained)
}

async function enqueue(bench: Bench, count: number, concurrency: number): Promise<Figures> {
  let next = 0
  const caller = async (): Promise<void> => {
    while (next < count) await bench.enqueue(dataOf(next++))
  }
  const from = performance.now()
  await Promise.all(Array.from({ length: concurrency }, caller))
  return { 'jobs/s': rate(count, from) }
}

async function fill(bench: Bench, count: number): Promise<void> {
  for (let from = 0; from < count; from += bulk) {
    await bench.enqueueMany(Array.from({ length: Math.min(bulk, count - from) }, (_, n) => dataOf(from + n)))
  }
}

async function enqueueInBulk(bench: Bench, size: Size): Promise<Figures> {
  const count = jobs(size, 50_000)
  const before = await readServer(size.storage, size.place)
  const from = performance.now()
  await fill(bench, count)
  const figures = { 'jobs/s': rate(count, from) }
  return { ...figures, ...perJob(before, await readServer(size.storage, size.place), count, 'waiting') }
}

/** Every job must have run exactly once, and the storage must agree that nothing is left, before the clock stops. */
async function drain(
  bench: Bench,
  size: Size,
  count: number,
  concurrency: number,
  measured: number = count,
): Promise<Figures> {
  await fill(bench, count)
  const runs = new Uint8Array(count)
  let ended = 0
  const before = await readServer(size.storage, size.place)
  const cpu = process.cpuUsage()
  const from = performance.now()
  const { promise: all, resolve } = Promise.withResolvers<void>()
  const working = await bench.work(concurrency, ({ id }: Data) => {
    runs[id]!++
    if (++ended === measured) resolve()
  })
  await all
  let took = performance.now() - from
  if (measured === count) {
    while ((await bench.unfinished()) > 0) await new Promise((next) => setTimeout(next, 1))
    took = performance.now() - from
  }
  const { user, system } = process.cpuUsage(cpu)
  const after = await readServer(size.storage, size.place)
  await working.stop()
  if (measured === count && !runs.every((times) => times === 1)) throw new Error('a job did not run exactly once')
  return {
    'jobs/s': (measured / took) * 1000,
    'worker CPU µs/job': (user + system) / measured,
    'RSS MB': process.memoryUsage.rss() / 1e6,
    ...perJob(before, after, measured, 'finished'),
  }
}

/** The first twentieth of a long queue: a claim must not get slower for what waits behind it. */
function drainFromMany(bench: Bench, size: Size): Promise<Figures> {
  const count = jobs(size, 500_000)
  return drain(bench, size, count, 100, Math.min(Math.ceil(count / 20), size.mostDrained))
}

/** What reads for long keeps PostgreSQL from clearing away what is over: queues then wade through it. */
async function drainBesideSnapshot(bench: Bench, size: Size): Promise<Figures> {
  const reader = await holdSnapshot(size.place.url)
  const figures = await drain(bench, size, drained(size, 20_000), 100)
  await reader.end()
  return figures
}

async function slowHandler(bench: Bench, size: Size): Promise<Figures> {
  const count = drained(size, size.isSerial ? 1000 : 40_000)
  await fill(bench, count)
  let ended = 0
  const { promise: all, resolve } = Promise.withResolvers<void>()
  const from = performance.now()
  const working = await bench.work(100, async () => {
    await new Promise((next) => setTimeout(next, 5))
    if (++ended === count) resolve()
  })
  await all
  const took = performance.now() - from
  await working.stop()
  // A timer of 5 ms takes a little longer; the ideal is what timers alone would do.
  const ideal = await timersAlone(count)
  return { 'of the ideal': (ideal / took) * 100, 'jobs/s': (count / took) * 1000 }
}

async function timersAlone(count: number): Promise<number> {
  let next = 0
  const slot = async (): Promise<void> => {
    while (next++ < count) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const from = performance.now()
  await Promise.all(Array.from({ length: 100 }, slot))
  return performance.now() - from
}

async function latency(bench: Bench, count: number, everyMs: number): Promise<Figures> {
  const sentAt: number[] = []
  const ranAt = await runAll(bench, count, async () => {
    for (let id = 0; id < count; id++) {
      sentAt[id] = performance.now()
      const sent = bench.enqueue(dataOf(id))
      await new Promise((next) => setTimeout(next, everyMs))
      await sent
    }
  })
  return percentiles(ranAt.map((at, id) => at - sentAt[id]!))
}

async function latencyBetweenProcesses(bench: Bench, size: Size): Promise<Figures> {
  const count = jobs(size, 300)
  let sentAt: readonly number[] = []
  const offset = machineNow() - performance.now()
  const ranAt = await runAll(bench, count, async () => {
    sentAt = await size.elsewhere.send(count, 20)
  })
  return percentiles(ranAt.map((at, id) => at + offset - sentAt[id]!))
}

/** When each of them began to run. */
async function runAll(bench: Bench, count: number, enqueueAll: () => Promise<void>): Promise<number[]> {
  const ranAt = Array.from({ length: count }, () => 0)
  let ended = 0
  const { promise: all, resolve } = Promise.withResolvers<void>()
  const working = await bench.work(10, ({ id }) => {
    ranAt[id] = performance.now()
    if (++ended === count) resolve()
  })
  await new Promise((next) => setTimeout(next, 300))
  await enqueueAll()
  await all
  await working.stop()
  return ranAt
}

function percentiles(waits: number[]): Figures {
  waits.sort((a, b) => a - b)
  const at = (share: number): number => waits[Math.min(waits.length - 1, Math.floor(waits.length * share))]!
  return { 'p50 ms': at(0.5), 'p95 ms': at(0.95), 'p99 ms': at(0.99) }
}

async function idle(bench: Bench, size: Size): Promise<Figures> {
  const working = await bench.work(10, () => undefined)
  // PostgreSQL counts what the start has cost some seconds late.
  await new Promise((next) => setTimeout(next, Math.max(1000, 15_000 * size.scale)))
  const before = await readServer(size.storage, size.place)
  const cpu = process.cpuUsage()
  const forMs = Math.max(2000, 60_000 * size.scale)
  await new Promise((next) => setTimeout(next, forMs))
  const { user, system } = process.cpuUsage(cpu)
  const after = await readServer(size.storage, size.place)
  await working.stop()
  const commands =
    after.commands === undefined ? {} : { 'commands/min': ((after.commands - before.commands!) / forMs) * 60_000 }
  return { 'CPU %': (user + system) / 10 / forMs, ...commands }
}

function rate(count: number, from: number): number {
  return (count / (performance.now() - from)) * 1000
}

function perJob(
  before: Awaited<ReturnType<typeof readServer>>,
  after: Awaited<ReturnType<typeof readServer>>,
  count: number,
  what: string,
): Record<string, number> {
  const figures: Record<string, number> = {}
  if (before.bytes !== undefined && after.bytes !== undefined)
    figures[`bytes/${what} job`] = (after.bytes - before.bytes) / count
  if (before.cpuMs !== undefined && after.cpuMs !== undefined)
    figures['server CPU µs/job'] = ((after.cpuMs - before.cpuMs) * 1000) / count
  if (before.walBytes !== undefined && after.walBytes !== undefined)
    figures['WAL bytes/job'] = (after.walBytes - before.walBytes) / count
  return figures
}
