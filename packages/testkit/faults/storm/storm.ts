import { setTimeout as pause } from 'node:timers/promises'
import { type BaseClient, createClient } from '@q/core'
import type { JobStorage } from '@q/core/storage'
import { Random } from '../../src/differential/random.ts'
import { check } from '../evidence/check.ts'
import type { Violation } from '../evidence/check.ts'
import { machineMs } from '../evidence/entry.ts'
import { collect } from '../fleet/collect.ts'
import { Fleet } from '../fleet/fleet.ts'
import { until } from '../fleet/until.ts'
import { fleetJobs } from '../programs/jobs.ts'
import { Announcer } from '../programs/producer.ts'
import type { Stage } from '../stages/stage.ts'
import { faults } from './faults.ts'
import type { Scene } from './faults.ts'
import { count } from './figures.ts'
import type { Figures } from './figures.ts'
import type { FaultName, Goals, Quota } from './quota.ts'

export interface StormOptions {
  readonly stage: Stage
  readonly seed: number
  /** Until every fault has struck so often, */
  readonly quota: Quota
  /** and, if given, so much time has passed. */
  readonly atLeastMs?: number | undefined
  readonly atMostMs: number
  readonly leaseMs?: number | undefined
  readonly workers?: number | undefined
  readonly producers?: number | undefined
  readonly gapMs?: number | undefined
  /** Faults that are under way at once, at most. */
  readonly atOnce?: number | undefined
}

export interface StormResult {
  readonly figures: Figures
  readonly violations: readonly Violation[]
  /** From the last fault until new jobs were run. */
  readonly recoveredMs: number
}

const recoverMs = 30_000
const drainMs = 60_000

/** All faults at once, in an order that the seed decides, on a fleet at work; then peace, and the reckoning. */
export async function storm(options: StormOptions): Promise<StormResult> {
  const { stage, seed, leaseMs = 1500 } = options
  const fleet = await Fleet.open({ stage, leaseMs, seed })
  const storage = await stage.open()
  const client = createClient({ storage, name: 'harness', deadline: '30s' })
  try {
    return await play(options, fleet, storage, client)
  } finally {
    await client.close()
    await storage.close()
    await fleet[Symbol.asyncDispose]()
  }
}

async function play(
  options: StormOptions,
  fleet: Fleet,
  storage: JobStorage,
  client: BaseClient,
): Promise<StormResult> {
  const { seed, workers = 3, producers = 2 } = options
  const startedAt = machineMs()
  const jobs = fleetJobs(fleet.ownLedger)
  await client.recurring.put('every second', { every: '1s', job: jobs.tick, misfire: 'all' })
  for (let n = 0; n < workers; n++) await fleet.start('worker')
  for (let n = 0; n < producers; n++) await fleet.start('producer', { gapMs: options.gapMs ?? 60 })
  await Promise.all(fleet.members.map((member) => member.ready()))

  const scene: Scene = { fleet, storage, random: new Random(seed), crashes: [] }
  await rage(scene, options)

  const announcer = new Announcer(client, fleet.ownLedger)
  const probes = await Promise.all(
    Array.from({ length: 20 }, () => announcer.enqueue(jobs.plain, { ms: 5 }, { priority: 'high' })),
  )
  const recoveredMs = await until('new jobs are run after the last fault', recoverMs, async () =>
    (await storage.monitor.get(probes)).every((job) => job?.state.phase === 'succeeded'),
  )
  await fleet.stop('producer')
  await until('the recurring job is removed', recoverMs, () => client.recurring.remove('every second').then(() => true))
  await until('everything that was accepted has ended', drainMs, () => isDrained(storage))
  await fleet.stop()

  const evidence = await collect(fleet, storage, scene.crashes)
  const violations = check(evidence)
  return { figures: count(evidence, violations, (machineMs() - startedAt) / 1000), violations, recoveredMs }
}

/** What a storm owes: goals it did not reach, and methods of which no answer was swallowed. */
export function shortfalls(figures: Figures, goals: Goals): string[] {
  const reached = { ...figures, swallowedReplies: swallowedReplies(figures) }
  const missed = (Object.entries(goals) as [keyof Goals, number][]).filter(([name, goal]) => !(reached[name] >= goal))
  const unheard = ['create', 'exchange', 'heartbeat', 'tick'].filter(
    (method) => !((figures.swallowed[method] ?? 0) > 0),
  )
  return [
    ...missed.map(([name, goal]) => `${name}: ${reached[name]} of ${goal}`),
    ...unheard.map((method) => `no answer to ${method} was swallowed`),
  ]
}

export function swallowedReplies({ swallowed, lostReplies }: Figures): number {
  return Object.values(swallowed).reduce((sum, n) => sum + n, lostReplies)
}

async function rage(scene: Scene, { quota, atLeastMs = 0, atMostMs, atOnce = 6 }: StormOptions): Promise<void> {
  const left = new Map(Object.entries(quota) as [FaultName, number][])
  const underWay = new Map<Promise<void>, FaultName>()
  const startedAt = machineMs()
  let trouble: unknown
  const strike = async (name: FaultName): Promise<void> => {
    try {
      if (await faults[name](scene)) left.set(name, left.get(name)! - 1)
    } catch (error) {
      trouble ??= error
    }
  }
  for (;;) {
    const elapsedMs = machineMs() - startedAt
    const isDone = [...left.values()].every((wanted) => wanted <= 0) && elapsedMs >= atLeastMs
    if (isDone || trouble !== undefined || elapsedMs > atMostMs) break
    const wanted = [...left.keys()].filter((name) => {
      // Faults that are under way count as having struck, so that none overshoots by much.
      const pending = [...underWay.values()].filter((other) => other === name).length
      return (left.get(name)! > pending || elapsedMs < atLeastMs) && !(name === 'restart' && pending > 0)
    })
    if (underWay.size < atOnce && wanted.length > 0) {
      const name = weighted(scene.random, wanted, left)
      const work = strike(name).finally(() => underWay.delete(work))
      underWay.set(work, name)
    }
    await pause(scene.random.int(5, 60))
  }
  await Promise.all(underWay.keys())
  for (const { line } of scene.fleet.members) line?.heal()
  if (trouble !== undefined) throw trouble
}

/** Those that have to strike most often come up most often. */
function weighted(random: Random, names: readonly FaultName[], left: ReadonlyMap<FaultName, number>): FaultName {
  const weightOf = (name: FaultName): number => Math.max(1, left.get(name)!)
  let ticket = random.next() * names.reduce((sum, name) => sum + weightOf(name), 0)
  return names.find((name) => (ticket -= weightOf(name)) < 0) ?? names.at(-1)!
}

async function isDrained(storage: JobStorage): Promise<boolean> {
  const { byPhase } = await storage.monitor.counts()
  return byPhase.ready + byPhase.active + byPhase.scheduled + byPhase.awaiting + byPhase.parked === 0
}
