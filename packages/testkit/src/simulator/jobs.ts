import type { JobContext, JobDefinition, Outcome } from '@q/core'
import { cancelJob, defineFilter, defineJob, disableConcurrentExecution, list, reject, snooze } from '@q/core'
import type { Random } from '../differential/random.ts'
import type { SimulatedProcess } from './process.ts'

/** What a simulated job does, said by its input. */
export interface Work {
  /** Its result. */
  readonly n: number
  /** For limits and unique keys. */
  readonly key: string
  readonly ms: number
  /** Its first runs fail, this many. */
  readonly fails?: number
  /** Works on when it is told to stop. */
  readonly ignoresAbort?: boolean
  /** Its first runs put it off, this many. */
  readonly snoozes?: number
  readonly ends?: 'cancelled' | 'rejected' | 'with its process'
  /** Lines it writes to its log. */
  readonly lines?: number
}

type Simulated = JobDefinition<Work, number>

const retry = { attempts: 4, backoff: list([0, 300, '2s']) }
const declare = defineJob<Work, number>()

export const note: Simulated = declare({ name: 'note', queue: 'b', retry })

/** Each success leaves a note, in the commit of that success. */
const leavesNote = defineFilter({
  name: 'leaves a note',
  stateApplied: (ctx) => {
    if (ctx.state.name === 'succeeded') ctx.enqueue(note, { n: (ctx.job.input as Work).n, key: 'note', ms: 1 })
  },
})

const plain = declare({ name: 'plain', queue: 'a', retry })
const noted = declare({ name: 'noted', queue: 'a', retry, filters: [leavesNote] })
const timed = declare({ name: 'timed', queue: 'b', retry, timeout: '700ms' })
const uniqueJobs = [
  declare({ name: 'unique', queue: 'a', retry, unique: { key: (work) => work.key } }),
  declare({ name: 'latest', queue: 'b', retry, unique: { key: (work) => work.key, onConflict: 'replace' } }),
  declare({ name: 'next', queue: 'a', retry, unique: { key: (work) => work.key, until: 'started', scope: 'global' } }),
  declare({ name: 'brief', queue: 'b', retry, unique: { key: (work) => work.key, ttl: '3s' } }),
]
const limitedJobs = [
  declare({ name: 'gated', queue: 'a', retry, concurrency: { key: (work) => work.key, limit: 2, scope: 'global' } }),
  declare({
    name: 'gated elsewhere',
    queue: 'c.x',
    retry,
    concurrency: { key: (work) => work.key, limit: 2, scope: 'global' },
  }),
  declare({ name: 'alone', queue: 'b', retry, filters: [disableConcurrentExecution('one:{key}')] }),
  declare({ name: 'rated', queue: 'a', retry, rate: { limit: 3, per: '2s' } }),
  declare({
    name: 'limited twice',
    retry,
    queue: 'c.y',
    concurrency: { key: (work) => work.key, limit: 1 },
    rate: { limit: 4, per: '3s' },
  }),
  declare({
    name: 'impatient',
    retry,
    queue: 'b',
    filters: [disableConcurrentExecution('two:{key}', { onBusy: 'reschedule', delay: '1s' })],
  }),
  declare({
    name: 'proud',
    queue: 'c.x',
    retry,
    filters: [disableConcurrentExecution('three:{key}', { onBusy: 'fail' })],
  }),
]
/** Two programs of different age know it by different versions. */
const older = declare({ name: 'versioned', queue: 'a', retry })
const newer = declare({ name: 'versioned', queue: 'a', retry, version: 2, upgrade: { 1: (old: Work) => old } })
/** Known by the newest programs alone. */
const recent = declare({ name: 'recent', queue: 'c.y', retry })
/** Known by nobody. */
export const ghost: Simulated = declare({ name: 'ghost', queue: 'b', retry })
const poison = declare({ name: 'poison', queue: 'a', retry, crashLimit: 2 })
export const repeated: Simulated = declare({ name: 'repeated', queue: 'a', retry })

const common = [plain, noted, note, timed, ...uniqueJobs, ...limitedJobs, poison, repeated]
export const programs: Readonly<Record<'old' | 'new', readonly Simulated[]>> = {
  old: [...common, older],
  new: [...common, newer, recent],
}

export const queues: readonly string[] = ['a', 'b', 'c.x', 'c.y']

/** A job that somebody might enqueue. */
export function randomJob(random: Random): Simulated {
  return random.weighted<() => Simulated>([
    [20, () => plain],
    [8, () => noted],
    [4, () => timed],
    [20, () => random.pick(uniqueJobs)],
    [30, () => random.pick(limitedJobs)],
    [4, () => older],
    [6, () => newer],
    [4, () => recent],
    [1, () => ghost],
    [1, () => poison],
  ])()
}

export function randomWork(random: Random, job: Simulated, n: number): Work {
  const key = `k${random.int(1, 3)}`
  if (job === poison) return { n, key, ms: random.int(1, 100), ends: 'with its process' }
  const ms = random.weighted<() => number>([
    [70, () => random.int(0, 30)],
    [20, () => random.int(100, 1_500)],
    [4, () => random.int(3_000, 8_000)],
  ])()
  const character = random.weighted<Partial<Work>>([
    [60, {}],
    [12, { fails: random.int(1, 2) }],
    [4, { fails: 99 }],
    [6, { snoozes: random.int(1, 2) }],
    [2, { ends: 'cancelled' }],
    [2, { ends: 'rejected' }],
    [8, { lines: random.int(1, 4) }],
    [6, { ignoresAbort: true }],
  ])
  return { n, key, ms, ...character }
}

/** How often a job has begun, over all processes. */
export type BeginRun = (context: JobContext<Work>) => { readonly runs: number; end(): void }

export function handlerOf(
  process: SimulatedProcess,
  begin: BeginRun,
): (work: Work, context: JobContext<Work>) => Promise<number | Outcome> {
  return async (work, context) => {
    const run = begin(context)
    try {
      for (let n = 1; n <= (work.lines ?? 0); n++) context.log.info(`${context.attempt}: ${n} of ${work.lines}`)
      if (work.lines !== undefined) context.progress(0.5)
      await process.sleep(work.ms, work.ignoresAbort ? undefined : context.signal)
      return await endOf(work, process, run.runs)
    } finally {
      run.end()
    }
  }
}

async function endOf(work: Work, process: SimulatedProcess, runs: number): Promise<number | Outcome> {
  if (runs <= (work.snoozes ?? 0)) return snooze(500)
  if (runs <= (work.fails ?? 0)) throw new Error(`failure ${runs} of ${work.fails}`)
  switch (work.ends) {
    case 'cancelled':
      return cancelJob('not needed any more')
    case 'rejected':
      return reject(new Error('no use'))
    case 'with its process':
      process.crash()
      return new Promise(() => {})
    default:
      return work.n
  }
}
