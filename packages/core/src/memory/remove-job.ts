import type { FinalPhase } from '../storage/job.ts'
import { leavePhase } from './place.ts'
import { type StoredJob, phaseOf } from './job.ts'
import type { Store } from './store.ts'

const stubMs = 120_000

/** Takes a final job out of the storage with all that hangs on it, and leaves a stub as long as a repeat of its creation or end may come. */
export function removeJob(store: Store, job: StoredJob): void {
  const end = phaseOf(job) as FinalPhase
  leavePhase(store, job, 'transition')
  store.jobs.delete(job.id)
  store.changes++
  for (const tag of job.tags) {
    const left = store.tags.get(tag)! - 1
    if (left === 0) store.tags.delete(tag)
    else store.tags.set(tag, left)
  }
  for (const parent of job.rare?.family?.parents ?? []) store.jobs.get(parent)?.rare?.family?.children.delete(job)
  store.schedules.forget(job, end)
  store.watchers.job(job.id)
  const until = job.enteredAt + stubMs
  if (until > store.now) store.stubs.set(job.id, { end, commands: job.rare?.commands ?? [], until })
}
