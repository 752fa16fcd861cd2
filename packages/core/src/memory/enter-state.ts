import type { Ms, StateInput } from '../storage/job.ts'
import { defaultKeepMs, isFinalPhase } from '../storage/job.ts'
import { entered } from '../storage/entered.ts'
import { decisionsOf } from './edges.ts'
import { type StoredJob, rareOf, recordState } from './job.ts'
import { laneOf } from './queue.ts'
import { type Leave, enterPhase, leavePhase } from './place.ts'
import { type Store, mayExpire, queueOf } from './store.ts'

/** One step of a job from its present state to another, and all that has to be said about it. */
export interface Step {
  /** How the present phase is left. Default 'transition'. */
  readonly leave?: Leave | undefined
  /** Passed through before `to`. */
  readonly via?: readonly StateInput[] | undefined
  readonly to: StateInput
  readonly by?: string | undefined
  readonly command?: string | undefined
  /** Of a scheduled state. */
  readonly dueAt?: Ms | undefined
  /** Back to the place it was claimed from, instead of the tail. */
  readonly oldPlace?: boolean | undefined
  readonly queue?: string | undefined
  readonly priority?: number | undefined
  readonly attempt?: 'count' | 'undo' | 'reset' | undefined
  readonly parkedFor?: string | undefined
  /** Of a final state, instead of the job's own. */
  readonly keep?: Ms | null | undefined
}

/**
 * The only way from one state to another. What the new state decides about children is left in `store.decisions`;
 * whoever takes a step settles them before its end.
 */
export function enterState(store: Store, job: StoredJob, step: Step): void {
  leavePhase(store, job, step.leave ?? 'transition')
  if (step.via !== undefined) for (const state of step.via) record(store, job, state, step.by)
  if (step.attempt === 'undo') job.attempt = Math.max(0, job.attempt - 1)
  else if (step.attempt === 'reset') job.attempt = job.crashes = 0
  if (step.queue !== undefined && step.queue !== job.lane.queue.name) {
    job.lane = laneOf(queueOf(store, step.queue), job.lane.name)
  }
  if (step.priority !== undefined) job.priority = step.priority
  record(store, job, step.to, step.by, step.command)
  arrive(store, job, step)
}

/** The new state is recorded; this is what it means. Also the last step of a creation. */
export function arrive(store: Store, job: StoredJob, step: Step): void {
  const { phase } = step.to
  store.changes++
  if (phase === 'ready' && step.oldPlace !== true) job.seq = ++store.seq
  if (phase === 'scheduled') job.dueAt = step.dueAt ?? store.now
  if (phase === 'parked') rareOf(job).parkedFor = step.parkedFor
  if (isFinalPhase(phase)) {
    const keep = step.keep ?? (step.keep === null ? null : keepOf(job, phase))
    job.removeAt = keep === null ? undefined : store.now + keep
    store.keys.free(job)
    if (job.rare !== null) job.rare.wish = undefined
    const decisions = decisionsOf(job, phase)
    if (decisions.length > 0) store.decisions.push(...decisions)
    if (phase === 'succeeded') store.tally.row(job.lane, store.now).ok++
    else if (phase === 'failed') store.tally.row(job.lane, store.now).failed++
  }
  enterPhase(store, job)
  if (job.rare?.expiresAt !== undefined) watchExpiry(store, job, job.rare.expiresAt)
  store.watchers.job(job.id)
  if (phase === 'scheduled' && job.dueAt! <= store.now) enterState(store, job, { to: entered.promoted })
}

/** Who starts or ends expires no more; who comes back without a counted start may again. */
function watchExpiry(store: Store, job: StoredJob, expiresAt: Ms): void {
  if (mayExpire(job)) store.expiring.push(expiresAt, job)
  else store.expiring.forget()
}

function record(store: Store, job: StoredJob, state: StateInput, by = '', command?: string): void {
  recordState(job, state, store.now, by, command)
  if (state.phase !== 'failed' || state.error === undefined) return
  rareOf(job).lastError = state.error.fingerprint
  store.errors.count(state.error, job.lane.name, job.id, store.now)
}

function keepOf(job: StoredJob, phase: 'succeeded' | 'failed' | 'deleted'): Ms | null {
  const own = job.keep?.[phase]
  return own === undefined ? defaultKeepMs[phase] : own
}
