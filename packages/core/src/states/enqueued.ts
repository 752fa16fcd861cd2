import type { StateDefinition } from './state.ts'

/** Waits in its queue for a free slot. */
export interface Enqueued {
  readonly name: 'enqueued'
  readonly reason?: string | undefined
  /** Moves the job to this queue. */
  readonly queue?: string | undefined
}

export function enqueued(reason?: string, options: { readonly queue?: string } = {}): Enqueued {
  return { name: 'enqueued', reason, ...options }
}

export const enqueuedState: StateDefinition<'enqueued'> = { name: 'enqueued', phase: 'ready' }
