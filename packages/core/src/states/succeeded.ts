import type { StateDefinition } from './state.ts'

/** Done. `result` is what the handler returned. */
export interface Succeeded {
  readonly name: 'succeeded'
  readonly reason?: string | undefined
  readonly result: unknown
}

export function succeeded(result?: unknown, reason?: string): Succeeded {
  return { name: 'succeeded', reason, result }
}

export const succeededState: StateDefinition<'succeeded'> = {
  name: 'succeeded',
  phase: 'succeeded',
  toData: (state) => state.result,
}
