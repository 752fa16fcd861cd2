import type { ApplyOutcome, Transition } from '@q/core/storage'
import { isFinalPhase, parseToken, whyInvalidTransition } from '@q/core/storage'
import { maxPayload } from './capabilities.ts'
import { type EndedClaim, packState } from './codec.ts'
import { createJobs } from './create-jobs.ts'
import { type Caller, endPlain, endTogether, endsPlainly } from './end-plainly.ts'
import { type Step, enterState, isFinal } from './enter-state.ts'
import { obeyWish } from './hand-back.ts'
import { settle } from './settle.ts'
import { type Stub, findStub } from './statements/apply.ts'
import type { Store } from './store.ts'
import {
  type StoredJob,
  loadJob,
  makeRare,
  paramsOf,
  phaseIn,
  rememberCommand,
  saveJob,
  tokenOf,
} from './stored-job.ts'
import { countDuration } from './tally.ts'
import { rivalOf, takeKeyAgain } from './unique-keys.ts'

/** The transitions of one call: the plain ends of a row travel together, everything else goes by itself. */
export function applyTransitions(store: Store, list: readonly Transition[], caller: Caller): ApplyOutcome[] {
  const outcomes: ApplyOutcome[] = []
  for (let next = 0; next < list.length;) {
    const end = endTogether(store, list, next, caller, outcomes)
    // Whatever was no plain end after all, and the one that was none to begin with.
    for (; next <= end && next < list.length; next++) outcomes[next] ??= applyTransition(store, list[next]!, caller)
  }
  return outcomes
}

/** One transition with all it causes. `caller` is absent for commands from outside a run. */
export function applyTransition(store: Store, change: Transition, caller?: Caller): ApplyOutcome {
  const reason = whyInvalidTransition(change, maxPayload)
  if (reason !== null) return { ok: 'invalid', reason }
  if (caller !== undefined && endsPlainly(change)) {
    const outcome = endPlain(store, change, caller)
    if (outcome !== null) return outcome
  }
  const job = loadJob(store, change.id)
  const refusal =
    change.token === undefined ? refuseCommand(store, job, change) : refuseRun(store, job, change, change.token, caller)
  return refusal ?? carryOut(store, job!, change, caller)
}

/** Why a run may not end its job like this, or null. */
function refuseRun(
  store: Store,
  job: StoredJob | undefined,
  change: Transition,
  token: string,
  caller: Caller | undefined,
): ApplyOutcome | null {
  if (job?.claim != null && tokenOf(job.claim) === token) return null
  const claim = parseToken(token)
  if (caller !== undefined && claim?.session === caller.session.id) {
    store.sessions.untell(caller.session, change.id, claim.call)
    if (wasEndedBy(store, job, change.id, caller, claim.call)) return { ok: 'already' }
  }
  return job === undefined && stubOf(store, change.id) === undefined ? { ok: 'missing' } : { ok: 'stale' }
}

/** Whether this very call ended this very claim. */
export function wasEndedBy(
  store: Store,
  job: StoredJob | undefined,
  id: string,
  { session, call }: Caller,
  claimCall: number,
): boolean {
  const stub = job === undefined ? stubOf(store, id) : undefined
  const ended = stub === undefined ? (job?.rest.ended ?? []) : (JSON.parse(stub.ended) as EndedClaim[])
  return ended.some((one) => one.session === session.n && one.call === claimCall && one.by === call)
}

const rememberedEnds = 8

/** Why a command is not carried out, or null. A wish to end a running job is stored here. */
function refuseCommand(store: Store, job: StoredJob | undefined, change: Transition): ApplyOutcome | null {
  const { command } = change
  if (job === undefined) return commandsOf(store, change.id).includes(command) ? { ok: 'already' } : { ok: 'missing' }
  if (command !== undefined && job.rest.commands?.includes(command)) return { ok: 'already' }
  const phase = phaseIn(job)
  const state = job.state.name
  const expected = change.from!.some((from) => (typeof from === 'string' ? from === phase : from.state === state))
  if (!expected) return { ok: 'refused', phase, state }
  if (phase === 'active' && change.force !== true) {
    return isFinalPhase(change.to.phase) ? storeWish(store, job, change) : { ok: 'refused', phase, state }
  }
  const rival = isFinal(job) && !isFinalPhase(change.to.phase) ? rivalOf(store, job) : undefined
  return rival === undefined ? null : { ok: 'duplicate', holder: rival }
}

/** The first wish counts; later ones change nothing. */
function storeWish(store: Store, job: StoredJob, change: Transition): ApplyOutcome {
  const { session, call } = job.claim!
  makeRare(store, job)
  rememberCommand(job, change.command)
  if (job.rest.wish === undefined) {
    const { by = '', command, keep, grace } = change
    job.rest.wish = { to: packState(change.to), by, command, keep, grace }
    store.sessions.tell(session, job.id, call, { reason: change.to.reason, grace })
    store.wakes.session(session.id)
    store.wakes.job(job.id)
  }
  saveJob(store, job)
  return { ok: 'signalled' }
}

function carryOut(store: Store, job: StoredJob, change: Transition, caller: Caller | undefined): ApplyOutcome {
  const { now } = store
  const { claim } = job
  const wasFinal = isFinal(job)
  const voided = claim !== null && change.token === undefined
  makeRare(store, job)
  const step = obeyWish(job, stepOf(store, job, change))
  if (change.token !== undefined && caller !== undefined) {
    const ended = { session: claim!.session.n, call: claim!.call, by: caller.call }
    job.rest.ended = [...(job.rest.ended ?? []), ended].slice(-rememberedEnds)
  }
  if (change.params !== undefined) job.rest.params = mergeParams(paramsOf(job), change.params)
  const row = store.tally.row(job.name, job.queue.n, now)
  if (change.ranMs !== undefined) {
    job.ranMs = change.ranMs
    countDuration(row.run, change.ranMs)
  }
  const failedOnTheWay = step.via?.some(({ phase }) => phase === 'failed') === true
  if (failedOnTheWay && !isFinalPhase(step.to.phase)) row.retried++
  if (wasFinal && !isFinalPhase(step.to.phase)) {
    takeKeyAgain(store, job)
    // It was asked for again by hand: its time to start is over and done with.
    job.rest.expiresAt = undefined
  }
  rememberCommand(job, change.command)
  enterState(store, job, step)
  if (voided) {
    store.sessions.tell(claim.session, job.id, claim.call, { reason: change.to.reason, voided: true })
    store.wakes.session(claim.session.id)
  }
  const released = settle(store)
  if (change.create === undefined) return { ok: 'applied', released }
  return { ok: 'applied', released, created: createJobs(store, change.create) }
}

function stepOf(store: Store, job: StoredJob, change: Transition): Step {
  const { claim } = job
  const { adoptedFor } = job.rest
  const undone = change.attempt === 'undo' && claim !== null
  const moved = change.queue !== undefined || change.priority !== undefined
  let { to, parkedFor } = change
  if (undone && to.phase === 'ready' && adoptedFor !== undefined) {
    // It would meet servers that do not know it: it never passes through ready.
    parkedFor = adoptedFor
    to = { ...to, phase: 'parked' }
  }
  return {
    via: change.via,
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
  return Object.fromEntries(merged) as Record<string, string>
}

/** What is left of a removed job for two minutes. */
export function stubOf(store: Store, id: string): Stub | undefined {
  return store.db.get(findStub, id, store.now)
}

export function commandsOf(store: Store, id: string): readonly (string | undefined)[] {
  const stub = stubOf(store, id)
  return stub === undefined ? [] : (JSON.parse(stub.commands) as string[])
}
