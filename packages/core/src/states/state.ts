import type { Phase } from '../storage/job.ts'
import type { Awaiting } from './awaiting.ts'
import type { Deleted } from './deleted.ts'
import type { Enqueued } from './enqueued.ts'
import type { Failed } from './failed.ts'
import type { Processing } from './processing.ts'
import type { Scheduled } from './scheduled.ts'
import type { Succeeded } from './succeeded.ts'

/**
 * Every state by its name. A package adds its own by declaration merging and by `defineState`:
 *
 * @example
 * declare module '@q/core' { interface StateMap { approval: Approval } }
 */
export interface StateMap {
  enqueued: Enqueued
  scheduled: Scheduled
  awaiting: Awaiting
  processing: Processing
  succeeded: Succeeded
  failed: Failed
  deleted: Deleted
}

/** What a job is in. Data, not an object with behaviour: it crosses processes and databases. */
export type State = StateMap[keyof StateMap]

/** What a state means to a storage. */
export interface StateDefinition<Name extends string = string> {
  readonly name: Name
  readonly phase: Phase
  /** What of the state is stored beside its name and reason; absent = nothing. */
  toData?(state: StateNamed<Name>): unknown
  /** The state again from what was stored. */
  fromData?(data: unknown, reason: string | undefined): StateNamed<Name>
  /** When the job is due, for states in phase `scheduled`. */
  toTransition?(state: StateNamed<Name>): { readonly at?: number | undefined; readonly delay?: number | undefined }
}

export type StateNamed<Name extends string> = Name extends keyof StateMap ? StateMap[Name] : AnyState

/** A state as data, of whatever name. */
export interface AnyState {
  readonly name: string
  readonly reason?: string | undefined
}
