import type { JobId, Ms, NewJob, Payload, Phase } from './job.ts'
import type { CreateOutcome } from './jobs.ts'

export interface Paused {
  readonly at: Ms
  readonly by?: string | undefined
  readonly reason?: string | undefined
  /** The pause ends by itself at this instant. */
  readonly until?: Ms | undefined
}

export interface RecurringRecord {
  readonly id: string
  /** The schedule and its options, encoded by core. */
  readonly spec: Payload
  /** The finished job, made when the record was put: a tick needs no user code. Its id is replaced by that of the occurrence. */
  readonly job: NewJob
  /** The next occurrence; null = none. */
  readonly nextAt: Ms | null
  readonly lastAt?: Ms | undefined
  readonly lastJob?: JobId | undefined
  /** Grows with every change. */
  readonly version: number
  readonly error?: string | undefined
  readonly paused?: Paused | undefined
  readonly owner?: string | undefined
  readonly revision?: number | undefined
}

export type RecurringPut = Omit<RecurringRecord, 'version'> & {
  /** Compare-and-set: the version this replaces; 0 = must not exist. Absent = whatever is there. */
  readonly expect?: number | undefined
}

export interface RecurringTick {
  readonly id: string
  readonly expect: number
  readonly nextAt: Ms | null
  /** The occurrences to create. The instant of the last one becomes `lastAt`. */
  readonly jobs: readonly NewJob[]
  /** No jobs (but the schedule moves on) unless that job is final or gone. */
  readonly skipWhile?: JobId | undefined
}

/** Schedules: records with a version, moved on by compare-and-set, so that n servers make one occurrence exactly once. */
export interface RecurringRoom {
  /** Put what is already there changes nothing, its version included. */
  put(list: readonly RecurringPut[]): Promise<readonly { readonly ok: boolean; readonly version: number }[]>
  remove(list: readonly { readonly id: string; readonly expect?: number | undefined }[]): Promise<readonly boolean[]>
  /** Records that are due and not paused (a pause whose `until` has passed is over). */
  due(
    limit: number,
  ): Promise<{ readonly now: Ms; readonly due: readonly RecurringRecord[]; readonly nextDue?: Ms | undefined }>
  tick(list: readonly RecurringTick[]): Promise<
    readonly {
      readonly ok: boolean
      readonly skipped?: boolean | undefined
      readonly created: readonly CreateOutcome[]
    }[]
  >
  /** The last runs, newest first; at most 50 are remembered, beyond the retention of their jobs. */
  runs(id: string, limit: number): Promise<readonly RecurringRun[]>
}

export interface RecurringRun {
  readonly job: JobId
  readonly at: Ms
  /** Of the job now, or its last one when it is gone. */
  readonly phase: Phase
  readonly ranMs?: Ms | undefined
}
