import type { JobId, Ms, SessionId } from '../storage/job.ts'
import type { Recovered, UpkeepRoom } from '../storage/upkeep.ts'
import { entered } from '../storage/entered.ts'
import { enterState } from './enter-state.ts'
import { hasOpenEdges } from './edges.ts'
import { recoverJob } from './hand-back.ts'
import { phaseOf } from './job.ts'
import { removeJob } from './remove-job.ts'
import type { SessionState } from './sessions.ts'
import { settle, settleOwed } from './settle.ts'
import { type Store, begin } from './store.ts'
import { bury } from './work.ts'

export function createUpkeepRoom(store: Store): UpkeepRoom {
  return {
    async promote(limit) {
      begin(store)
      return promote(store, limit)
    },
    async recover(limit) {
      begin(store)
      return recover(store, limit)
    },
    async sweep(limit) {
      begin(store)
      return sweep(store, limit)
    },
  }
}

function promote(store: Store, limit: number): { moved: number; again: boolean; nextDue?: Ms | undefined } {
  let moved = settleOwed(store, limit)
  for (; moved < limit; moved++) {
    const expired = store.expiring.popDue(store.now)
    if (expired === undefined) break
    enterState(store, expired, { to: entered.expired })
    settle(store)
  }
  for (; moved < limit; moved++) {
    const job = store.due.first()
    if (job === undefined || job.dueAt! > store.now) break
    enterState(store, job, { to: entered.promoted })
  }
  store.gates.offerDue(store.now)
  store.gates.offerAll(store.now)
  const dueAt = store.due.first()?.dueAt
  const opensAt = store.gates.nextOpening()
  const nextDue = store.owed.length > 0 ? store.now : Math.min(dueAt ?? Infinity, opensAt ?? Infinity)
  const again = store.owed.length > 0 || (dueAt !== undefined && dueAt <= store.now)
  return nextDue === Infinity ? { moved, again } : { moved, again, nextDue }
}

function recover(store: Store, limit: number): Recovered {
  const jobs: JobId[] = []
  const sessions: SessionId[] = []
  for (const session of store.sessions.values()) {
    if (!isLost(store, session)) continue
    session.standing = 'buried'
    for (const job of session.held) {
      if (jobs.length >= limit) return { jobs, sessions, again: true, nextLook: store.now }
      recoverJob(store, job)
      jobs.push(job.id)
    }
    bury(store, session)
    sessions.push(session.id)
  }
  return { jobs, sessions, again: false, nextLook: nextLook(store) }
}

function nextLook(store: Store): Ms | undefined {
  let earliest = Infinity
  for (const { seenAt, suspectAt, ttl } of store.sessions.values()) {
    earliest = Math.min(earliest, (suspectAt ?? seenAt) + ttl / 2)
  }
  return earliest === Infinity ? undefined : earliest
}

/** Two looks: the first only makes it suspect, so that a pause of everything looks like the death of nobody. */
function isLost(store: Store, session: SessionState): boolean {
  if (session.standing === 'buried' || store.rules.isLost(session, store.now)) return true
  if (session.suspectAt === undefined && store.rules.isSuspect(session, store.now)) session.suspectAt = store.now
  return false
}

function sweep(store: Store, limit: number): { removed: number; again: boolean } {
  let removed = 0
  for (let seen = 0; seen < limit; seen++) {
    const job = store.removing.popDue(store.now)
    if (job === undefined) break
    if (phaseOf(job) === 'failed' && hasOpenEdges(job)) {
      enterState(store, job, { to: entered.retired })
      settle(store)
      continue
    }
    removeJob(store, job)
    removed++
  }
  forgetTheRest(store)
  const next = store.removing.nextAt()
  return { removed, again: next !== undefined && next <= store.now }
}

/** What has outlived its purpose, beside the jobs. */
function forgetTheRest(store: Store): void {
  const { now } = store
  for (const [id, { until }] of store.stubs) {
    if (until > now) break
    store.stubs.delete(id)
  }
  for (const [id, { until }] of store.buried) if (until <= now) store.buried.delete(id)
  for (const [name, lock] of store.locks) if (lock.expiresAt <= now) store.locks.delete(name)
  store.gates.sweep(now)
  store.tally.rollUp(now)
  store.errors.forgetOld(now)
}
