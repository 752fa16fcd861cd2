import type {
  ApplyOutcome,
  ClaimedJob,
  CreateOutcome,
  Exchange,
  ExchangeResult,
  JobSummary,
  NewJob,
  Phase,
  Reconciled,
  RecurringPut,
  Transition,
} from '@q/core/storage'
import { job, states } from '../suite/records.ts'
import type { Outcome, Pair, Step } from './pair.ts'
import { say } from './pair.ts'
import type { World, WorldSession } from './world.ts'
import { openingOf } from './world.ts'

/** How a call is made: straight, or over a line that loses things. Both sides always meet the same fate. */
export interface Sender {
  /** A call that may be repeated as it is. */
  repeatable<T>(pair: Pair, world: World, step: Step<T>): Promise<Outcome<T>>
  exchange(pair: Pair, world: World, session: WorldSession, call: Exchange): Promise<void>
}

type Play = (pair: Pair, world: World, sender: Sender) => Promise<void>

/** Everything that can happen, as often as its weight says. */
export const plays: readonly (readonly [weight: number, play: Play])[] = [
  [22, create],
  [40, exchange],
  [12, commands],
  [4, reconcile],
  [4, open],
  [2, end],
  [3, recover],
  [4, promote],
  [2, sweep],
  [2, promoteDue],
  [2, configure],
  [2, lock],
  [4, recurring],
  [10, look],
]

async function create(pair: Pair, world: World, sender: Sender): Promise<void> {
  for (const list of untilReplacing(Array.from({ length: world.random.int(1, 4) }, () => world.newJob()))) {
    await sender.repeatable(pair, world, {
      says: say('create', list),
      run: ({ storage }) => storage.jobs.create(list),
      shape: (outcomes) => outcomes.map(withoutReason),
    })
  }
}

/**
 * Children of a replaced job are released by the call that replaces it. Whether they stand before or behind what follows in
 * the same list is nobody's promise, so a list ends with what replaces.
 */
function untilReplacing(list: readonly NewJob[]): NewJob[][] {
  const lists: NewJob[][] = [[]]
  for (const item of list) {
    if (lists.at(-1)!.at(-1)?.unique?.conflict === 'replace') lists.push([])
    lists.at(-1)!.push(item)
  }
  return lists
}

async function exchange(pair: Pair, world: World, sender: Sender): Promise<void> {
  const session = world.living.length > 0 ? world.random.pick(world.living) : null
  if (session === null) return open(pair, world)
  // Whoever may go on at a gate is offered first, so that both know the same ones to be awake.
  if (world.hasGates) await promote(pair)
  await sender.exchange(pair, world, session, world.exchange(session))
}

/** One exchange as it is sent, and what a client learns from the answer. */
export function exchangeStep(call: Exchange): Step<ExchangeResult> {
  return {
    says: say('exchange', call),
    run: ({ storage }) => storage.work.exchange(call),
    shape: ({ applied, noted, claimed, signals }) => ({
      applied: applied.map(withoutReason),
      noted: noted.map(String),
      claimed: claimed.map(withoutHolder),
      cancel: signals.cancel,
    }),
  }
}

export function learn(
  session: WorldSession,
  apply: readonly Transition[],
  reply: Pick<ExchangeResult, 'claimed'>,
): void {
  const named = new Set(apply.map(({ token }) => token))
  session.spent.push(...session.held.filter(({ token, id }) => named.has(token) && apply.some((one) => one.id === id)))
  session.held = session.held.filter((claimed) => !session.spent.includes(claimed))
  session.held.push(...reply.claimed)
}

async function commands(pair: Pair, world: World, sender: Sender): Promise<void> {
  const list = Array.from({ length: world.random.int(1, 3) }, () => world.command())
  await sender.repeatable(pair, world, {
    says: say('apply', list),
    run: ({ storage }) => storage.jobs.apply(list),
    shape: (outcomes) => outcomes.map(withoutReason),
  })
}

async function reconcile(pair: Pair, world: World): Promise<void> {
  if (world.living.length === 0) return
  const session = world.random.pick(world.living)
  const call = world.random.chance(0.2) ? ++session.call : session.call
  await pair.run(reconcileStep(session, call, world.reconciled(session)))
}

export function reconcileStep(session: WorldSession, call: number, apply: readonly Transition[]): Step<Reconciled> {
  return {
    says: say('reconcile', session.id, call, apply),
    run: ({ storage }) => storage.work.reconcile(session.id, call, apply),
    shape: ({ applied, claimed }) => ({
      applied: applied.map(({ ok }) => ok),
      claimed: claimed.map(withoutHolder).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    }),
  }
}

async function open(pair: Pair, world: World): Promise<void> {
  const before = world.sessions.length > 0 ? world.random.pick(world.sessions) : undefined
  // Not one that dies young: the few milliseconds for which its id is refused pass on two clocks.
  if (before && !before.mortal && world.random.chance(0.15)) {
    await pair.run({ says: say('open again', before.id), run: ({ storage }) => storage.work.open(openingOf(before)) })
    return
  }
  const session = world.newSession()
  const replaces = before && world.random.chance(0.25) ? before : undefined
  await pair.run({
    says: say('open', openingOf(session, replaces?.id)),
    run: ({ storage }) => storage.work.open(openingOf(session, replaces?.id)),
  })
  if (replaces) replaces.alive = false
}

async function end(pair: Pair, world: World): Promise<void> {
  if (world.sessions.length === 0) return
  const session = world.random.pick(world.sessions)
  await pair.run({ says: say('end', session.id), run: ({ storage }) => storage.work.end(session.id) })
  session.alive = false
}

/** Two looks, and a pause between them that only mortal sessions do not survive. */
async function recover(pair: Pair, world: World): Promise<void> {
  const look: Step<{ jobs: readonly string[]; sessions: readonly string[] }> = {
    says: () => 'recover(500)',
    run: ({ storage }) => storage.upkeep.recover(500),
    shape: ({ jobs, sessions }) => ({ jobs: jobs.toSorted(), sessions: sessions.toSorted() }),
  }
  await pair.elapse(3)
  await pair.run(look)
  await pair.elapse(3)
  await pair.run(look)
  for (const session of world.sessions) if (session.mortal) session.alive = false
}

async function promote(pair: Pair): Promise<void> {
  await pair.run({
    says: () => 'promote(500)',
    run: ({ storage }) => storage.upkeep.promote(500),
    shape: ({ again }) => ({ again }),
  })
}

async function sweep(pair: Pair): Promise<void> {
  await pair.elapse(2)
  await pair.run({
    says: () => 'sweep(500)',
    run: async ({ storage }) => {
      const step = await storage.upkeep.sweep(500)
      return step.again ? storage.upkeep.sweep(500) : step
    },
    shape: ({ again }) => ({ again }),
  })
}

/** Jobs that fall due while nobody looks, and are promoted in the order of their times. */
async function promoteDue(pair: Pair, world: World): Promise<void> {
  const list = Array.from({ length: world.random.int(1, 4) }, () => {
    const { after: _after, gates: _gates, unique: _unique, ...made } = world.newJob()
    return { ...made, state: states.scheduled, delay: world.random.int(1, 3) }
  })
  await pair.run({
    says: say('create due', list),
    run: ({ storage }) => storage.jobs.create(list),
    shape: (outcomes) => outcomes.map(withoutReason),
  })
  await pair.elapse(5)
  await promote(pair)
}

async function configure(pair: Pair, world: World): Promise<void> {
  const { random } = world
  const queue = random.pick(world.queues)
  const config = random.pick([
    { paused: { at: 1, by: 'operator' } },
    { paused: { at: 1, until: 2 } },
    { paused: null },
    { paused: null, maxActive: null, rate: null },
    { maxActive: random.int(1, 3) },
    { rate: { max: random.int(1, 4), per: 40_000_000_000 } },
  ])
  await pair.run({ says: say('queues.set', queue, config), run: ({ storage }) => storage.queues.set(queue, config) })
}

async function lock(pair: Pair, world: World): Promise<void> {
  const name = `lock-${world.seed}`
  const owner = world.random.pick(['one', 'two'])
  if (world.random.chance(0.5)) {
    await pair.run({
      says: say('locks.acquire', name, owner),
      run: ({ storage }) => storage.locks.acquire(name, owner, 1_000_000_000),
    })
  } else {
    await pair.run({
      says: say('locks.release', name, owner),
      run: ({ storage }) => storage.locks.release(name, owner),
    })
  }
}

async function recurring(pair: Pair, world: World): Promise<void> {
  const { random } = world
  const id = random.pick(world.schedules)
  const act = random.pick(['put', 'put', 'tick', 'tick', 'tick', 'remove', 'due'])
  if (act === 'put') {
    const record: RecurringPut = {
      id,
      spec: `every ${random.int(1, 2)}m`,
      job: { ...job({ id: '0'.repeat(26) }), queue: world.queues[0]! },
      nextAt: random.pick([1_000, 40_000_000_000_000, null]),
    }
    await pair.run({
      says: say('recurring.put', record),
      async run({ storage, versions }) {
        const [reply] = await storage.recurring.put([record])
        versions.set(id, reply!.version)
        return reply!.ok
      },
    })
  } else if (act === 'tick') {
    const made = Array.from({ length: random.int(0, 2) }, () => world.occurrence(id))
    const wrong = random.chance(0.2)
    const skipWhile = random.chance(0.4) ? world.someId() : undefined
    await pair.run({
      says: say('recurring.tick', id, made, { wrong, skipWhile }),
      async run({ storage, versions }) {
        const expect = (versions.get(id) ?? 1) + (wrong ? 1_000_000 : 0)
        const [reply] = await storage.recurring.tick([{ id, expect, nextAt: 2_000, jobs: made, skipWhile }])
        const { items } = await storage.monitor.recurring({ limit: 1, ids: [id] })
        if (items[0]) versions.set(id, items[0].version)
        return reply!
      },
      shape: ({ ok, skipped, created }) => ({ ok: String(ok), skipped, created: created.map(withoutReason) }),
    })
  } else if (act === 'remove') {
    await pair.run({
      says: say('recurring.remove', id),
      async run({ storage, versions }) {
        versions.delete(id)
        return (await storage.recurring.remove([{ id }])).map(String)
      },
    })
  } else {
    await pair.run({
      says: () => 'recurring.due(100)',
      run: ({ storage }) => storage.recurring.due(100),
      shape: ({ due }) => due.map((record) => record.id).toSorted(),
    })
  }
}

/** What people would see. */
async function look(pair: Pair, world: World): Promise<void> {
  const { random } = world
  await random.pick([
    () => lookAt(pair, random.some(world.jobs, 6)),
    () => lookAt(pair, random.some(world.jobs, 6)),
    () => historyOf(pair, [world.someId()]),
    () => listed(pair, world),
    () => listed(pair, world),
    () => inClaimOrder(pair, world),
    () => counted(pair),
    () => standingOf(pair, world.someId()),
    () => sessionsOf(pair, world),
    () => beats(pair, world),
    () => logsOf(pair, world.someId()),
    () => seriesOf(pair),
    () => errorsOf(pair),
    () => schedulesOf(pair, world),
  ])()
}

export async function lookAt(pair: Pair, ids: readonly string[]): Promise<void> {
  await pair.run({
    says: say('get', ids),
    run: ({ storage }) => storage.monitor.get(ids),
    shape: (views) => views.map((view) => view && withoutOldRun(view)),
  })
}

export async function historyOf(pair: Pair, ids: readonly string[]): Promise<void> {
  await pair.run({
    says: say('history', ids),
    run: ({ storage }) => Promise.all(ids.map((id) => storage.monitor.history(id))),
  })
}

async function listed(pair: Pair, world: World): Promise<void> {
  const query = world.query()
  const order = world.random.pick(['newest', 'oldest'] as const)
  await pair.run({
    says: say('list', query, order),
    async run({ storage }) {
      const all: JobSummary[] = []
      let cursor: string | undefined
      do {
        const page = await storage.monitor.list(query, { limit: 60, cursor, order })
        all.push(...page.items)
        cursor = page.next
      } while (cursor !== undefined)
      return { all, counted: await storage.monitor.count(query, 10_000) }
    },
    // Two jobs may enter their states in the same millisecond here, and not there.
    shape: ({ all, counted: { value } }) => [value, all.map(withoutOldRun).toSorted((a, b) => (a.id < b.id ? -1 : 1))],
  })
}

async function inClaimOrder(pair: Pair, world: World): Promise<void> {
  const query = { queue: [world.random.pick(world.queues)], phase: ['ready' as const] }
  await pair.run({
    says: say('list in the order of claims', query),
    run: ({ storage }) => storage.monitor.list(query, { limit: 200, order: 'claim' }),
    shape: ({ items }) => items.map(({ id }) => id),
  })
}

export async function counted(pair: Pair): Promise<void> {
  await pair.run({
    says: () => 'counts()',
    run: ({ storage }) => storage.monitor.counts(),
    shape: ({ byPhase, retrying, byQueue }) => ({
      byPhase,
      retrying,
      byQueue: Object.fromEntries(
        Object.entries(byQueue).filter(([, { ready, active, scheduled }]) => ready + active + scheduled > 0),
      ),
    }),
  })
}

async function standingOf(pair: Pair, id: string): Promise<void> {
  await pair.run({ says: say('standing', id), run: ({ storage }) => storage.monitor.standing(id) })
}

async function sessionsOf(pair: Pair, world: World): Promise<void> {
  const own = new Set(world.sessions.map(({ id }) => id))
  await pair.run({
    says: () => 'sessions()',
    run: ({ storage }) => storage.monitor.sessions(),
    shape: (list) =>
      list
        .filter(({ id }) => own.has(id))
        .map(({ id, server, ttl, held }) => ({ id, server, ttl, held }))
        .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  })
}

async function beats(pair: Pair, world: World): Promise<void> {
  const ids = world.sessions.map(({ id }) => id)
  await pair.run({
    says: say('heartbeat', ids),
    run: ({ storage }) => storage.work.heartbeat(ids),
    shape: (list) => list.map(({ alive, signals }) => ({ alive: String(alive), cancel: alive ? signals.cancel : [] })),
  })
}

async function logsOf(pair: Pair, id: string): Promise<void> {
  await pair.run({
    says: say('logs', id),
    run: ({ storage }) => storage.monitor.logs(id),
    shape: ({ items }) => items,
  })
}

async function seriesOf(pair: Pair): Promise<void> {
  await pair.run({
    says: () => 'series()',
    run: ({ storage }) => storage.monitor.series({ by: 'all', from: 0, to: 40_000_000_000_000, step: 'day' }),
    shape(buckets) {
      const sums = { created: 0, ok: 0, failed: 0, retried: 0, runs: 0, waits: 0 }
      for (const { created, ok, failed, retried, runMs, waitMs } of buckets) {
        sums.created += created
        sums.ok += ok
        sums.failed += failed
        sums.retried += retried
        for (const [index, n] of runMs.entries()) sums.runs += n * (index + 1)
        for (const n of waitMs) sums.waits += n
      }
      return sums
    },
  })
}

async function errorsOf(pair: Pair): Promise<void> {
  await pair.run({
    says: () => 'errors()',
    run: ({ storage }) => storage.monitor.errors({ limit: 10 }),
    shape: ({ items }) => items.toSorted((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1)),
  })
}

async function schedulesOf(pair: Pair, world: World): Promise<void> {
  await pair.run({
    says: () => 'recurring()',
    run: ({ storage }) => storage.monitor.recurring({ limit: 10, ids: world.schedules }),
    shape: ({ items }) =>
      items.map(({ id, spec, nextAt, lastAt, lastJob }) => ({ id, spec, next: String(nextAt), last: lastAt, lastJob })),
  })
}

/** Reasons of refusals are for people, and of several missing parents any may be named. */
function withoutReason(outcome: ApplyOutcome | CreateOutcome): object {
  const created = 'created' in outcome ? outcome.created?.map(withoutReason) : undefined
  return { ...outcome, created, reason: undefined, missing: undefined }
}

/** How long the last run took is said of jobs that succeeded; what others still remember of it is their own affair. */
function withoutOldRun<T extends Omit<JobSummary, 'state'> & { readonly state: { readonly phase: Phase } }>(
  view: T,
): T {
  return view.state.phase === 'succeeded' ? view : { ...view, ranMs: undefined }
}

/** Of several holders of a gate any may be named. */
function withoutHolder(claimed: ClaimedJob): ClaimedJob {
  return claimed.busy ? { ...claimed, busy: { key: claimed.busy.key } } : claimed
}
