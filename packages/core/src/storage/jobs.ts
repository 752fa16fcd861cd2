import type { ClaimToken, JobId, Ms, NewJob, Phase, StateInput } from './job.ts'

export type CreateOutcome =
  | { readonly ok: 'created'; readonly replaced?: JobId | undefined }
  /** The same id was there: an ambiguous call repeated, or an idempotent enqueue. Nothing changed. */
  | { readonly ok: 'exists' }
  /** The unique key is held by another job; nothing was stored. */
  | { readonly ok: 'duplicate'; readonly holder: JobId }
  /** A parent is unknown; nothing was stored. */
  | { readonly ok: 'orphan'; readonly missing: JobId }
  /** This item cannot be stored; its neighbours were. */
  | { readonly ok: 'invalid'; readonly reason: string }

export interface Transition {
  readonly id: JobId
  /** The fence: applies only while this claim holds the job. Absent = a command, then `from` is required. */
  readonly token?: ClaimToken | undefined
  readonly from?: readonly (Phase | { readonly state: string })[] | undefined
  /** Made by the client for commands and stored in the state record: the same command again is `already`. */
  readonly command?: string | undefined
  readonly by?: string | undefined
  readonly to: StateInput
  /** States passed through, recorded before `to` (failed before scheduled on a retry). */
  readonly via?: readonly StateInput[] | undefined
  readonly delay?: Ms | undefined
  readonly at?: Ms | undefined
  readonly queue?: string | undefined
  readonly priority?: number | undefined
  /** `count` (default): the attempt stands. `undo`: it did not count; attempt and FIFO place are restored. `reset`: attempt and crashes become 0. */
  readonly attempt?: 'count' | 'undo' | 'reset' | undefined
  /** With phase `parked`: no server here knows the job; it waits for one that adopts this 'name@version'. */
  readonly parkedFor?: string | undefined
  /** For an active job: `force` voids the claim at once. Without it the wish is stored and its holder is asked, to void the run itself after `grace`. */
  readonly force?: boolean | undefined
  readonly grace?: Ms | undefined
  /** Merged into the job's parameters; null removes one. */
  readonly params?: Readonly<Record<string, string | null>> | undefined
  /** With a final phase: how long this job stays, instead of its own `keep`. */
  readonly keep?: Ms | null | undefined
  /** How long the handler really ran, by the worker's monotonic clock. */
  readonly ranMs?: Ms | undefined
  /** Stored only if this transition applies, in the same step. */
  readonly create?: readonly NewJob[] | undefined
}

export type ApplyOutcome =
  | { readonly ok: 'applied'; readonly released: number; readonly created?: readonly CreateOutcome[] | undefined }
  /** This very claim or command was consumed by an earlier, identical call. */
  | { readonly ok: 'already' }
  /** The job is active and was not forced: the wish is stored on it. */
  | { readonly ok: 'signalled' }
  /** A follow-up's unique key is locked by an open transaction: not applied, the claim stands, send again. */
  | { readonly ok: 'busy' }
  /** Another claim, a recovery or a command took the job: drop the work. */
  | { readonly ok: 'stale' }
  | { readonly ok: 'missing' }
  | { readonly ok: 'refused'; readonly phase: Phase; readonly state: string }
  /** Leaving a final phase would take a unique key that another job holds. */
  | { readonly ok: 'duplicate'; readonly holder: JobId }
  | { readonly ok: 'invalid'; readonly reason: string }

/** Creating jobs, and the commands that change them from outside a run. */
export interface JobsRoom {
  /** Stores jobs. One atomic step for the call; each item is answered for itself, in order. */
  create(jobs: readonly NewJob[]): Promise<CreateOutcome[]>
  /** Commands: requeue, delete, cancel, reschedule. Compare-and-set on `from`, idempotent by `command`. */
  apply(list: readonly Transition[]): Promise<ApplyOutcome[]>
}

/** Of storages whose driver is synchronous. */
export interface SynchronousJobsRoom extends JobsRoom {
  createSync(jobs: readonly NewJob[]): CreateOutcome[]
}

/** Of storages that live in a SQL database: creation inside the caller's own transaction. */
export interface TransactionalJobsRoom<Tx> extends JobsRoom {
  /**
   * Locks nothing another process needs: edges to jobs stored earlier are written as owed and settled after the commit;
   * a unique key waits at most a second, then the call is unavailable; `replace` is refused as invalid.
   */
  within(tx: Tx): { create(jobs: readonly NewJob[]): Promise<CreateOutcome[]> }
}
