import type { FinalPhase, JobId, Ms, Recovered, SessionId, UpkeepRoom } from '@q/core/storage'
import { defaultKeepMs, entered, finalPhases } from '@q/core/storage'
import { phaseNumber } from './codec.ts'
import { hasOpenEdges, oldestOwed } from './edges.ts'
import type { Engine } from './engine.ts'
import { enterState } from './enter-state.ts'
import { faultKeptMs, forgetFaults } from './faults.ts'
import { nextOpening, offerAll, offerDue, sweepGates } from './gates.ts'
import { recoverJob } from './hand-back.ts'
import { removeJob } from './remove-job.ts'
import type { SessionState } from './session-book.ts'
import { settle, settleOwed } from './settle.ts'
import { statement } from './statement.ts'
import { dueOf, nextDueOf, queuesWithDue } from './statements/job.ts'
import type { Store } from './store.ts'
import { loadJob, phaseIn } from './stored-job.ts'

const expired = statement<[number, number], { id: string }>(
  (t) => `select id from ${t.more} where expires_at <= ? order by expires_at limit ?`,
)
const nextExpiry = statement<[], { at: number }>(
  (t) => `select expires_at as at from ${t.more} where expires_at is not null order by expires_at limit 1`,
)
const heldBy = statement<[number, number], { id: string }>(
  (t) => `select id from ${t.lease} where session = ? order by call, priority, seq limit ?`,
)
const removableRare = statement<[number, number], { id: string }>(
  (t) => `select id from ${t.more} where remove_at <= ? order by remove_at limit ?`,
)
const removablePlain = statement<[number, number], { id: string }>(
  (t) => `select id from ${t.done} where custom = 1 and remove_at <= ? order by remove_at limit ?`,
)
/** Those that stay as long as usual leave in the order in which they ended: no index of their own is needed. */
const usuallyRemovable = statement<
  [number, number, string, number, number],
  { id: string; at: number; custom: number }
>(
  (t) =>
    `select id, at, custom from ${t.done} where phase = ? and (at, id) > (?, ?) and at <= ? order by at, id limit ?`,
)
const sweptPhases = finalPhases.filter((phase) => defaultKeepMs[phase] !== null)
const firstRemoval = statement<(number | string)[], { at: number | null }>((t) => {
  const usual = sweptPhases.map(
    () => `select * from (select at + ? from ${t.done} where phase = ? and (at, id) > (?, ?) order by at, id limit 1)`,
  )
  const custom = [`${t.more} where`, `${t.done} where custom = 1 and`].map(
    (which) => `select min(remove_at) as at from ${which} remove_at is not null`,
  )
  return `select min(at) as at from (${[...custom, ...usual].join(' union all ')})`
})
const forgetStubs = statement<[number]>((t) => `delete from ${t.stub} where until <= ?`)
const forgetLocks = statement<[number]>((t) => `delete from ${t.lock} where expires_at <= ? and name <> ''`)

/** Jobs touched in one transaction: the write lock is not held for longer than that takes. */
const perStep = 200

export function createUpkeepRoom(engine: Engine): UpkeepRoom {
  return {
    async promote(limit) {
      return engine.recall<Promoted>(promoteKey)?.value ?? engine.write((store) => promote(store, limit))
    },
    async recover(limit) {
      return recoverNobody(engine) ?? engine.write((store) => recover(store, limit))
    },
    async sweep(limit) {
      const found = engine.recall<Swept>(sweepKey)
      if (found !== undefined) return found.value
      const isTidy = engine.giveBackSpace()
      let removed = 0
      for (let left = limit; ; left -= perStep) {
        const mayKeep = isTidy && removed === 0
        const chunk = await engine.write((store) => sweepStep(store, Math.min(left, perStep), limit, mayKeep))
        removed += chunk.removed
        if (chunk.again && left > perStep) continue
        if (!foundNothing(chunk)) await engine.write((store) => forgetTheRest(store, limit))
        if (removed > 0) engine.giveBackSpace()
        return { removed, again: chunk.again }
      }
    },
  }
}

interface Promoted {
  readonly moved: number
  readonly again: boolean
  readonly nextDue?: Ms | undefined
}

interface Swept {
  readonly removed: number
  readonly again: boolean
}

const promoteKey = 'promote'
const recoverKey = 'recover'
const sweepKey = 'sweep'

function promote(store: Store, limit: number): Promoted {
  let moved = settleOwed(store, limit)
  for (const { id } of store.db.all(expired, store.now, Math.max(0, limit - moved))) {
    enterState(store, loadJob(store, id)!, { to: entered.expired })
    settle(store)
    moved++
  }
  for (const id of dueJobs(store, Math.max(0, limit - moved))) {
    enterState(store, loadJob(store, id)!, { to: entered.promoted })
    moved++
  }
  offerDue(store)
  const sleeps = offerAll(store)
  const owes = oldestOwed(store) !== undefined
  const dueAt = earliestDue(store)
  const nextDue = owes ? store.now : Math.min(dueAt, nextOpening(store) ?? Infinity)
  const again = owes || dueAt <= store.now
  const promoted: Promoted = nextDue === Infinity ? { moved, again } : { moved, again, nextDue }
  if (moved === 0 && !again && !sleeps)
    store.lull.keep(promoteKey, promoted, store, Math.min(nextDue, store.db.get(nextExpiry)?.at ?? Infinity))
  return promoted
}

/** By due time, then age, over all queues. */
function dueJobs(store: Store, limit: number): JobId[] {
  store.queues.save()
  return store.db
    .all(queuesWithDue)
    .flatMap(({ n }) => store.db.all(dueOf, n, store.now, limit))
    .sort((a, b) => a.at - b.at || a.born - b.born)
    .slice(0, limit)
    .map(({ id }) => id)
}

function earliestDue(store: Store): Ms {
  store.queues.save()
  return Math.min(...store.db.all(queuesWithDue).map(({ n }) => store.db.get(nextDueOf, n)?.at ?? Infinity))
}

function recover(store: Store, limit: number): Recovered {
  const jobs: JobId[] = []
  const sessions: SessionId[] = []
  const unfinished = store.sessions.unfinished()
  for (const session of unfinished) {
    if (!isLost(store, session)) continue
    const held = store.db.all(heldBy, session.n, limit - jobs.length + 1)
    const rest = held.length > limit - jobs.length
    if (!session.buried) {
      session.buried = true
      store.sessions.save(session)
    }
    for (const { id } of held.slice(0, limit - jobs.length)) {
      recoverJob(store, loadJob(store, id)!)
      jobs.push(id)
    }
    if (rest) return { jobs, sessions, again: true, nextLook: store.now }
    store.sessions.bury(session, store.now)
    store.wakes.session(session.id)
    sessions.push(session.id)
  }
  if (sessions.length === 0) store.lull.keep(recoverKey, unfinished, store)
  const left = unfinished.filter(({ buried }) => !buried)
  return { jobs, sessions, again: false, nextLook: nextLook(left) }
}

/** As long as nobody writes, the sessions are those that were there, renewed by none but us. */
function recoverNobody(engine: Engine): Recovered | undefined {
  const found = engine.recall<readonly SessionState[]>(recoverKey)
  if (found === undefined) return undefined
  const lookAt = nextLook(found.value)
  if (lookAt !== undefined && lookAt <= found.now) return undefined
  return { jobs: [], sessions: [], again: false, nextLook: lookAt }
}

function nextLook(sessions: readonly SessionState[]): Ms | undefined {
  const looks = sessions.map(({ seenAt, suspectAt, ttl }) => (suspectAt ?? seenAt) + ttl / 2)
  return looks.length === 0 ? undefined : Math.min(...looks)
}

/** Two looks: the first only makes it suspect, so that a pause of everything looks like the death of nobody. */
function isLost(store: Store, session: SessionState): boolean {
  const { now } = store
  if (session.buried) return true
  if (session.suspectAt !== null && now - session.suspectAt >= session.ttl / 2) return true
  if (session.suspectAt === null && now - session.seenAt >= session.ttl / 2) {
    session.suspectAt = now
    store.sessions.save(session)
  }
  return false
}

/** One that found nothing to remove has time for the rest at once. */
function sweepStep(store: Store, count: number, limit: number, mayKeep: boolean): Swept {
  const swept = sweep(store, count)
  if (!foundNothing(swept)) return swept
  forgetTheRest(store, limit)
  if (mayKeep) store.lull.keep(sweepKey, swept, store, nextRemoval(store))
  return swept
}

function foundNothing({ removed, again }: Swept): boolean {
  return removed === 0 && !again
}

function sweep(store: Store, limit: number): Swept {
  let removed = 0
  let seen = 0
  for (const id of removable(store, limit)) {
    const job = loadJob(store, id)!
    seen++
    if (phaseIn(job) === 'failed' && job.isRare && hasOpenEdges(store, id)) {
      enterState(store, job, { to: entered.retired })
      settle(store)
      continue
    }
    removeJob(store, job)
    removed++
  }
  return { removed, again: seen >= limit && removable(store, 1).length > 0 }
}

function removable(store: Store, limit: number): JobId[] {
  const { now } = store
  const found = store.db.all(removableRare, now, limit).map(({ id }) => id)
  found.push(...store.db.all(removablePlain, now, limit).map(({ id }) => id))
  for (const phase of finalPhases) found.push(...usual(store, phase, limit - found.length))
  return found.slice(0, limit)
}

/** When there will be something to remove; before that only if somebody writes. */
function nextRemoval(store: Store): Ms {
  const walk = sweptPhases.flatMap((phase) => {
    const { at, id } = store.swept.to.get(phase) ?? beforeAll
    return [defaultKeepMs[phase]!, phaseNumber(phase), at, id]
  })
  return store.db.get(firstRemoval, ...walk)?.at ?? Infinity
}

/** Those with a time of their own are stepped over, and not looked at again for an hour. */
function usual(store: Store, phase: FinalPhase, limit: number): JobId[] {
  const { now, swept } = store
  const keep = defaultKeepMs[phase]
  if (keep === null) return []
  if (now - swept.since > walkAnewMs) {
    swept.since = now
    swept.to.clear()
  }
  const found: JobId[] = []
  while (found.length < limit) {
    const { at, id } = swept.to.get(phase) ?? { at: Number.MIN_SAFE_INTEGER, id: '' }
    const rows = store.db.all(usuallyRemovable, phaseNumber(phase), at, id, now - keep, limit)
    for (const row of rows) {
      if (row.custom === 0) found.push(row.id)
      else if (found.length === 0) swept.to.set(phase, row)
    }
    if (rows.length < limit || found.length > 0) break
  }
  return found
}

const walkAnewMs = 3_600_000
const beforeAll = { at: Number.MIN_SAFE_INTEGER, id: '' } as const

/** What has outlived its purpose, beside the jobs. */
function forgetTheRest(store: Store, limit: number): void {
  const { now } = store
  store.db.run(forgetStubs, now)
  store.sessions.forgetBuried(now)
  store.db.run(forgetLocks, now)
  sweepGates(store, limit)
  store.tally.save()
  store.tally.rollUp(now, limit)
  store.db.run(forgetFaults, now - faultKeptMs)
}
