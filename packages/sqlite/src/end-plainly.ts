import type { ApplyOutcome, ClaimToken, FinalPhase, JobId, Transition } from '@q/core/storage'
import { isFinalPhase, parseToken, whyInvalidTransition } from '@q/core/storage'
import { maxPayload } from './capabilities.ts'
import { phaseNumber } from './codec.ts'
import { createJobs } from './create-jobs.ts'
import { keepOf } from './enter-state.ts'
import { countFault } from './faults.ts'
import { wakeWaitingForSlot } from './place.ts'
import type { SessionState } from './session-book.ts'
import type { Bound } from './statement.ts'
import {
  type ReleasedLease,
  endChunk,
  findKept,
  finishMany,
  finishPlain,
  releaseMany,
  releasePlain,
} from './statements/apply.ts'
import type { Store } from './store.ts'
import type { StoredJob } from './stored-job.ts'
import { countDuration } from './tally.ts'

/** The call a transition came with. */
export interface Caller {
  readonly session: SessionState
  readonly call: number
}

/** What nearly every run ends with: a final state, and nothing said about the job besides. */
export function endsPlainly({ token, to, via, params, by, command, attempt }: Transition): boolean {
  return (
    token !== undefined &&
    isFinalPhase(to.phase) &&
    via === undefined &&
    params === undefined &&
    by === undefined &&
    command === undefined &&
    (attempt === undefined || attempt === 'count')
  )
}

/** The short way out for a plain job: its lease becomes the one row that remembers its end. Null when it is not that plain. */
export function endPlain(store: Store, change: Transition, caller: Caller): ApplyOutcome | null {
  const call = callOf(change.token!, caller)
  const lease = call === null ? undefined : store.db.get(releasePlain, caller.session.n, change.id, call)
  if (lease === undefined) return null
  finish(store, change, lease, caller)
  if (change.create === undefined) return applied
  return { ok: 'applied', released: 0, created: createJobs(store, change.create) }
}

/**
 * The same for the ends from `start` on that say no more than the first of them; answers where that comes to an end.
 * Those it could carry out have their outcome then; the others are not that plain.
 */
export function endTogether(
  store: Store,
  list: readonly Transition[],
  start: number,
  caller: Caller,
  outcomes: ApplyOutcome[],
): number {
  const ends = new Map<JobId, number>()
  const idsByToken = new Map<ClaimToken, JobId[]>()
  let next = start
  for (; next < list.length; next++) {
    const change = list[next]!
    if (!saysNothing(change, list[start]!) || ends.has(change.id)) break
    const ids = idsByToken.get(change.token!)
    if (ids === undefined && callOf(change.token!, caller) === null) break
    ends.set(change.id, next)
    if (ids === undefined) idsByToken.set(change.token!, [change.id])
    else ids.push(change.id)
  }
  const plain: { readonly change: Transition; readonly lease: ReleasedLease }[] = []
  for (const [token, ids] of idsByToken) {
    const call = callOf(token, caller)!
    for (const lease of store.db.all(releaseMany, caller.session.n, call, JSON.stringify(ids))) {
      const index = ends.get(lease.id)!
      outcomes[index] = applied
      if (lease.kept === 1) finish(store, list[index]!, lease, caller)
      else plain.push({ change: list[index]!, lease })
    }
  }
  let done = 0
  for (; plain.length - done >= endChunk; done += endChunk)
    finishChunk(store, plain.slice(done, done + endChunk), caller)
  for (; done < plain.length; done++) finish(store, plain[done]!.change, plain[done]!.lease, caller)
  return next
}

function saysNothing(change: Transition, { to: { name, phase } }: Transition): boolean {
  const { to, create, keep } = change
  return (
    endsPlainly(change) &&
    create === undefined &&
    keep === undefined &&
    to.name === name &&
    to.phase === phase &&
    to.reason === undefined &&
    to.error === undefined &&
    whyInvalidTransition(change, maxPayload) === null
  )
}

/** The call that claimed what it ends; null for a claim of another session. */
function callOf(token: ClaimToken, { session }: Caller): number | null {
  const claim = parseToken(token)
  return claim?.session === session.id ? claim.call : null
}

function finishChunk(
  store: Store,
  ends: readonly { readonly change: Transition; readonly lease: ReleasedLease }[],
  { session, call }: Caller,
): void {
  const { now } = store
  const { to } = ends[0]!.change
  const phase = to.phase as FinalPhase
  const keep = keepOf(undefined, phase)
  const rows: Bound[] = []
  for (const { change, lease } of ends) {
    const { id, ranMs = null } = change
    rows.push(id, Math.max(now, lease.at), lease.call, lease.at, lease.state, lease.ready_at, ranMs, lease.queue)
    rows.push(change.to.data ?? null)
    count(store, change, lease)
  }
  store.db.runRows(finishMany, rows, {
    phase: phaseNumber(phase),
    state: store.words.number('state', to.name),
    session: session.n,
    call,
    server: store.words.number('server', session.server),
    removeAt: keep === null ? null : now + keep,
  })
}

function finish(store: Store, change: Transition, lease: ReleasedLease, { session, call }: Caller): void {
  const { id, to, ranMs } = change
  const { now } = store
  const phase = to.phase as FinalPhase
  const own =
    lease.kept === 1
      ? keepOf((JSON.parse(store.db.get(findKept, id)!.cold) as StoredJob['cold']).keep, phase)
      : undefined
  const usual = keepOf(undefined, phase)
  const keep = change.keep === undefined ? (own === undefined ? usual : own) : change.keep
  store.db.run(
    finishPlain,
    id,
    phaseNumber(phase),
    store.words.number('state', to.name),
    Math.max(now, lease.at),
    session.n,
    lease.call,
    call,
    store.words.number('server', session.server),
    lease.at,
    lease.state,
    lease.ready_at,
    ranMs ?? null,
    keep === null ? null : now + keep,
    keep === usual ? 0 : 1,
    lease.queue,
    to.reason ?? null,
    to.error?.fingerprint ?? null,
    to.error?.preview ?? null,
    to.data ?? null,
  )
  count(store, change, lease)
  if (phase === 'failed' && to.error !== undefined) countFault(store, to.error, lease.name, id)
}

function count(store: Store, { id, to, ranMs }: Transition, lease: ReleasedLease): void {
  const phase = to.phase as FinalPhase
  const queue = store.queues.get(lease.queue)
  store.queues.count(queue, 'active', -1)
  store.queues.count(queue, phase, 1)
  const row = store.tally.row(lease.name, lease.queue, store.now)
  if (phase === 'succeeded') row.ok++
  else if (phase === 'failed') row.failed++
  if (ranMs !== undefined) countDuration(row.run, ranMs)
  store.wakes.job(id)
  wakeWaitingForSlot(store, queue)
}

/** The answer that nearly every run gets. */
const applied: ApplyOutcome = Object.freeze({ ok: 'applied', released: 0 })
