import { entered } from '../storage/entered.ts'
import { type Step, enterState } from './enter-state.ts'
import { type StoredJob, rareOf } from './job.ts'
import { settle } from './settle.ts'
import type { Store } from './store.ts'
import { obeyWish } from './wish.ts'

/** Its server says goodbye, or follows itself: the job goes to its old place as if it had never been claimed. */
export function handBack(store: Store, job: StoredJob): void {
  const { adoptedFor } = job.claim!
  const step: Step = {
    leave: 'handed back',
    to: adoptedFor === undefined ? entered.handedBack : entered.parkedAgain,
    attempt: 'undo',
    oldPlace: true,
    parkedFor: adoptedFor,
  }
  enterState(store, job, obeyWish(store, job, step))
  settle(store)
}

/** Its server was lost. That is charged, unless the job was only waiting there. */
export function recoverJob(store: Store, job: StoredJob): void {
  const { adoptedFor, extra } = job.claim!
  if (extra) rareOf(job).neverExtra = true
  else job.crashes++
  const crashed = !extra && job.crashes >= job.crashLimit
  const step: Step = {
    leave: 'recovery',
    to: crashed ? entered.crashed : adoptedFor === undefined ? entered.recovered : entered.parkedAgain,
    attempt: extra ? 'undo' : 'count',
    oldPlace: true,
    parkedFor: adoptedFor,
  }
  enterState(store, job, obeyWish(store, job, step))
  settle(store)
}
