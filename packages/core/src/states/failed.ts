import type { StateDefinition } from './state.ts'

/** Failed for good. Stays until it is requeued or deleted: these jobs are the dead letters. */
export interface Failed {
  readonly name: 'failed'
  readonly reason?: string | undefined
  /** Whatever was thrown. Stored with its name, message, stack, causes and own properties. */
  readonly error: unknown
}

export function failed(error: unknown, reason?: string): Failed {
  return { name: 'failed', reason, error }
}

/** Its data is the serialized error, which `encode-state` makes together with the fingerprint. */
export const failedState: StateDefinition<'failed'> = { name: 'failed', phase: 'failed' }
