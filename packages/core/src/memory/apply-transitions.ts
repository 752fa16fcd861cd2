import { isFinalPhase } from '../storage/job.ts'
import type { ApplyOutcome, Transition } from '../storage/jobs.ts'
import { whyInvalidTransition } from '../storage/validate.ts'
import { maxPayload } from './capabilities.ts'
import { copyState, frozenCopy } from './copy.ts'
import { createJobs } from './create-jobs.ts'
import { type Step, enterState } from './enter-state.ts'
import { type StoredJob, phaseOf, rareOf, rememberCommand } from './job.ts'
import { type Receipts, type SessionState, hasReceipt, tellCancel, untellCancel } from './sessions.ts'
import { settle } from './settle.ts'
import { type Store, stubOf } from './store.ts'
import { countDuration } from './tally.ts'
import { obeyWish } from './wish.ts'

/** The call a transition came with, and what it has ended so far. */
export interface Caller {
  readonly session: SessionState
  readonly receipts: Receipts
}

/** One transition with all it causes. `caller` is absent for commands from outside a run. */
export function applyTransition(store: Store, change: Transition, caller?: Caller): ApplyOutcome {
  const reason = whyInvalidTransition(change, maxPayload)
  if (reason !== null) return { ok: 'invalid', reason }
  const job = store.jobs.get(change.id)
  const refusal =
    change.token === undefined ? refuseCommand(store, job, change) : refuseRun(store, job, change, change.token, caller)
  if (refusal !== null) {
    if (store.rules.storesFollowUps(false)) createJobs(store, change.create ?? [])
    return refusal
  }
  return carryOut(store, job!, change, caller)
}

/** Why a run may not end its job like this, or null. */
function refuseRun(
  store: Store,
  job: StoredJob | undefined,
  change: Transition,
  token: string,
  caller: Caller | undefined,
): ApplyOutcome | null {
  if (job?.claim != null && store.rules.holdsTheJob(job.claim.token, token)) return null
  if (caller !== undefined) untellCancel(caller.session, change.id, token)
  if (hasReceipt(caller?.receipts, change.id, token)) return { ok: 'already' }
  return job === undefined && stubOf(store, change.id) === undefined ? { ok: 'missing' } : { ok: 'stale' }
}

/** Why a command is not carried out, or null. A wish to end a running job is stored here. */
function refuseCommand(store: Store, job: StoredJob | undefined, change: Transition): ApplyOutcome | null {
  const { command } = change
  if (job === undefined) {
    const known = command !== undefined && stubOf(store, change.id)?.commands.includes(command)
    return { ok: known === true ? 'already' : 'missing' }
  }
  if (command !== undefined && job.rare?.commands?.includes(command)) return { ok: 'already' }
  const phase = phaseOf(job)
  const state = job.state.state.name
  const expected = change.from!.some((from) => (typeof from === 'string' ? from === phase : from.state === state))
  if (!expected) return { ok: 'refused', phase, state }
  if (phase === 'active' && change.force !== true) {
    return isFinalPhase(change.to.phase) ? storeWish(store, job, change) : { ok: 'refused', phase, state }
  }
  const rival = isFinalPhase(phase) && !isFinalPhase(change.to.phase) ? store.keys.rival(job, store.now) : undefined
  return rival === undefined ? null : { ok: 'duplicate', holder: rival.id }
}

/** The first wish counts; later ones change nothing. */
function storeWish(store: Store, job: StoredJob, change: Transition): ApplyOutcome {
  const { session, token } = job.claim!
  const rare = rareOf(job)
  rememberCommand(job, change.command)
  if (rare.wish === undefined) {
    const { by = '', command, keep, grace } = change
    rare.wish = { to: copyState(change.to), by, command, keep, grace }
    tellCancel(session, { id: job.id, token, reason: change.to.reason, grace })
    store.changes++
    store.watchers.session(session.id)
    store.watchers.job(job.id)
  }
  return { ok: 'signalled' }
}

function carryOut(store: Store, job: StoredJob, change: Transition, caller: Caller | undefined): ApplyOutcome {
  const { now } = store
  const { claim } = job
  const wasFinal = isFinalPhase(phaseOf(job))
  const voided = claim !== null && change.token === undefined
  const step = obeyWish(store, job, stepOf(store, job, change))
  if (change.token !== undefined && caller !== undefined) {
    caller.receipts.ids.push(job.id)
    caller.receipts.tokens.push(change.token)
  }
  if (change.params !== undefined) job.params = mergeParams(job.params, change.params)
  if (change.ranMs !== undefined) {
    job.ranMs = change.ranMs
    countDuration(store.tally.row(job.lane, now).runMs, change.ranMs)
  }
  const failedOnTheWay = step.via?.some((state) => state.phase === 'failed') === true
  if (failedOnTheWay && !isFinalPhase(step.to.phase)) store.tally.row(job.lane, now).retried++
  if (wasFinal && !isFinalPhase(step.to.phase)) {
    store.keys.takeAgain(job, now)
    // It was asked for again by hand: its time to start is over and done with.
    if (job.rare !== null) job.rare.expiresAt = undefined
  }
  rememberCommand(job, change.command)
  enterState(store, job, step)
  if (voided) {
    tellCancel(claim.session, { id: job.id, token: claim.token, reason: change.to.reason, voided: true })
    store.watchers.session(claim.session.id)
  }
  const released = settle(store)
  if (change.create === undefined) return released === 0 ? applied : { ok: 'applied', released }
  return { ok: 'applied', released, created: createJobs(store, change.create) }
}

/** The answer that nearly every run gets. */
const applied: ApplyOutcome = Object.freeze({ ok: 'applied', released: 0 })

function stepOf(store: Store, job: StoredJob, change: Transition): Step {
  const { claim } = job
  const undone = change.attempt === 'undo' && claim !== null
  const moved = change.queue !== undefined || change.priority !== undefined
  let to = copyState(change.to)
  let parkedFor = change.parkedFor
  if (undone && to.phase === 'ready' && claim.adoptedFor !== undefined) {
    // It would meet servers that do not know it: it never passes through ready.
    parkedFor = claim.adoptedFor
    to = { ...to, phase: 'parked' }
  }
  return {
    via: change.via?.map(copyState),
    to,
    by: change.by ?? (change.token === undefined ? '' : claim?.session.server),
    command: change.command,
    dueAt: change.at ?? store.now + (change.delay ?? 0),
    oldPlace: undone && !moved,
    queue: change.queue,
    priority: change.priority,
    attempt: change.attempt === 'undo' && !undone ? 'count' : change.attempt,
    parkedFor,
    keep: change.keep,
  }
}

function mergeParams(
  params: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, string | null>>,
): Readonly<Record<string, string>> {
  const merged = Object.entries({ ...params, ...changes }).filter(([, value]) => value !== null)
  return frozenCopy(Object.fromEntries(merged) as Record<string, string>)
}
