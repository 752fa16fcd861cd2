import type { JobId } from '../storage/job.ts'
import type { StateDefinition } from './state.ts'

/** Waits for other jobs to end. */
export interface Awaiting {
  readonly name: 'awaiting'
  readonly reason?: string | undefined
  readonly parents: readonly JobId[]
  readonly on: ParentEnd
}

/** Which end of a parent a continuation waits for; `finished` is any of the three. */
export type ParentEnd = 'succeeded' | 'failed' | 'finished'

export function awaiting(parents: readonly JobId[], on: ParentEnd = 'succeeded', reason?: string): Awaiting {
  return { name: 'awaiting', reason, parents, on }
}

export const awaitingState: StateDefinition<'awaiting'> = {
  name: 'awaiting',
  phase: 'awaiting',
  toData: ({ parents, on }) => ({ parents, on }),
}
