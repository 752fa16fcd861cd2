import type { Step } from './enter-state.ts'
import type { StoredJob } from './job.ts'
import type { Store } from './store.ts'

/** While somebody wishes the job to end, a step that would keep it alive ends it instead, in the way that was wished. */
export function obeyWish(store: Store, job: StoredJob, step: Step): Step {
  const wish = job.rare?.wish
  if (wish === undefined || !store.rules.obeysWish(step.to.phase)) return step
  const { leave, via, attempt } = step
  return { leave, via, attempt, to: wish.to, by: wish.by, command: wish.command, keep: wish.keep }
}
