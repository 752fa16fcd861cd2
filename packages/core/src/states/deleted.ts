import type { StateDefinition } from './state.ts'

/** Not to be run (any more). `how` is set when a cancel ended its run. */
export interface Deleted {
  readonly name: 'deleted'
  readonly reason?: string | undefined
  readonly how?: 'aborted' | 'abandoned' | undefined
}

export function deleted(reason?: string, how?: Deleted['how']): Deleted {
  return { name: 'deleted', reason, how }
}

export const deletedState: StateDefinition<'deleted'> = {
  name: 'deleted',
  phase: 'deleted',
  toData: (state) => (state.how === undefined ? undefined : { how: state.how }),
}
