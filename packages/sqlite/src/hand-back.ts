import { entered, isFinalPhase } from '@q/core/storage'
import { openState } from './codec.ts'
import { type Step, enterState } from './enter-state.ts'
import { settle } from './settle.ts'
import type { Store } from './store.ts'
import { type StoredJob, crashLimitOf } from './stored-job.ts'

/** While somebody wishes the job to end, a step that would keep it alive ends it instead, in the way that was wished. */
export function obeyWish(job: StoredJob, step: Step): Step {
  const { wish } = job.rest
  if (wish === undefined || isFinalPhase(step.to.phase)) return step
  return {
    via: step.via,
    attempt: step.attempt,
    to: openState(wish.to),
    by: wish.by,
    command: wish.command,
    keep: wish.keep,
  }
}

/** Its server says goodbye, or follows itself: the job goes to its old place as if it had never been claimed. */
export function handBack(store: Store, job: StoredJob): void {
  const { adoptedFor } = job.rest
  const step: Step = {
    to: adoptedFor === undefined ? entered.handedBack : entered.parkedAgain,
    attempt: 'undo',
    oldPlace: true,
    parkedFor: adoptedFor,
  }
  enterState(store, job, obeyWish(job, step))
  settle(store)
}

/** Its server was lost. That is charged, unless the job was only waiting there. */
export function recoverJob(store: Store, job: StoredJob): void {
  const { adoptedFor, extra = false } = job.rest
  if (extra) job.rest.neverExtra = true
  else job.crashes++
  const crashed = !extra && job.crashes >= crashLimitOf(job)
  const step: Step = {
    to: crashed ? entered.crashed : adoptedFor === undefined ? entered.recovered : entered.parkedAgain,
    attempt: extra ? 'undo' : 'count',
    oldPlace: true,
    parkedFor: adoptedFor,
  }
  enterState(store, job, obeyWish(job, step))
  settle(store)
}
