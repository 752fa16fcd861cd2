import type { StateInput } from '@q/core/storage'
import { phase } from './phases.ts'
import { packPayload, storable } from './payload.ts'

/** A state as a record of the history holds it, before it is numbered. */
export interface StoredState {
  readonly name: string
  readonly phase: number
  readonly reason?: string | undefined
  readonly data?: string | undefined
  readonly fingerprint?: string | undefined
  readonly preview?: string | undefined
}

export function storeState(state: StateInput): StoredState {
  return {
    name: state.name,
    phase: phase[state.phase],
    reason: state.reason === undefined ? undefined : storable(state.reason),
    data: state.data === undefined ? undefined : packPayload(state.data),
    fingerprint: state.error === undefined ? undefined : storable(state.error.fingerprint),
    preview: state.error === undefined ? undefined : storable(state.error.preview),
  }
}

/** For the states that storages enter by themselves: text for a literal of SQL. */
export function stored(state: StateInput): string {
  return JSON.stringify(storeState(state)).replaceAll("'", "''")
}
