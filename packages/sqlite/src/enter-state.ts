import type { FinalPhase, Ms, StateInput } from '@q/core/storage'
import { defaultKeepMs, entered, isFinalPhase } from '@q/core/storage'
import { decidesAnything } from './edges.ts'
import { countFault } from './faults.ts'
import { type Leave, enterPhase, leavePhase } from './place.ts'
import type { Store } from './store.ts'
import { type StoredJob, makeRare, phaseIn, recordState, saveJob } from './stored-job.ts'
import { freeKey } from './unique-keys.ts'

/** One step of a job from its present state to another, and all that has to be said about it. */
export interface Step {
  /** How the present phase is left. Default 'end'. */
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
 * The only way from one state to another, but for the short cuts of plain jobs. What the new state decides about
 * children is left in `store.decisions`; whoever takes a step settles them before its end.
 */
export function enterState(store: Store, job: StoredJob, step: Step): void {
  makeRare(store, job)
  leavePhase(store, job, step.leave ?? 'end')
  for (const state of step.via ?? []) record(store, job, state, step.by)
  if (step.attempt === 'undo') job.attempt = Math.max(0, job.attempt - 1)
  else if (step.attempt === 'reset') job.attempt = job.crashes = 0
  if (step.queue !== undefined && step.queue !== job.queue.name) job.queue = queueNamed(store, step.queue)
  if (step.priority !== undefined) job.priority = step.priority
  record(store, job, step.to, step.by, step.command)
  arrive(store, job, step)
}

/** The new state is recorded; this is what it means. Also the last step of the creation of a rare job. */
export function arrive(store: Store, job: StoredJob, step: Step): void {
  const { phase } = step.to
  if (phase === 'ready' && step.oldPlace !== true) job.seq = store.queues.takePlaces()
  if (phase === 'scheduled') job.dueAt = Math.ceil(step.dueAt ?? store.now)
  if (phase === 'parked') job.parkedFor = step.parkedFor
  if (isFinalPhase(phase)) {
    const keep = step.keep === undefined ? keepOf(job.cold.keep, phase) : step.keep
    job.removeAt = keep === null ? undefined : store.now + keep
    job.rest.wish = undefined
    freeKey(store, job)
    if (decidesAnything(store, job.id, phase)) store.decisions.push({ parent: job.id, end: phase })
    if (phase === 'succeeded') store.tally.row(job.name, job.queue.n, store.now).ok++
    else if (phase === 'failed') store.tally.row(job.name, job.queue.n, store.now).failed++
  }
  enterPhase(store, job)
  store.wakes.job(job.id)
  if (phase === 'scheduled' && job.dueAt! <= store.now) enterState(store, job, { to: entered.promoted })
  else saveJob(store, job)
}

export function keepOf(own: StoredJob['cold']['keep'], phase: FinalPhase): Ms | null {
  const keep = own?.[phase]
  return keep === undefined ? defaultKeepMs[phase] : keep
}

export function queueNamed(store: Store, name: string): StoredJob['queue'] {
  const known = store.queues.find(name)
  if (known !== undefined) return known
  store.wakes.names()
  return store.queues.named(name)
}

function record(store: Store, job: StoredJob, state: StateInput, by = '', command?: string): void {
  recordState(store, job, state, by, command)
  if (state.phase !== 'failed' || state.error === undefined) return
  job.lastError = state.error.fingerprint
  countFault(store, state.error, job.name, job.id)
}

export function isFinal(job: StoredJob): boolean {
  return isFinalPhase(phaseIn(job))
}
