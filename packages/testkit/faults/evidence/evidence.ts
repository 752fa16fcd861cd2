import type { JobId, Occurrence, StateRecord } from '@q/core/storage'
import type { Witnessed } from './entry.ts'

/** What a fault can do to the lease of a process: void it by itself, or only make it harder to keep. */
export interface Hit {
  /** The name of a process, or 'all'. */
  readonly who: string
  readonly kind: string
  readonly from: number
  readonly to: number
  /** True when the lease may be lost by this alone; false for faults of the line, which are survived by asking again. */
  readonly voids: boolean
}

/** A job as the storage shows it in the end. */
export interface StoredJob {
  readonly id: JobId
  readonly name: string
  readonly history: readonly StateRecord[]
  readonly input: unknown
  readonly recurring?: Occurrence | undefined
}

/** Everything that is known of a run of the fleet: what the processes wrote, what was done to them, what is stored. */
export interface Evidence {
  readonly entries: readonly Witnessed[]
  readonly hits: readonly Hit[]
  readonly jobs: ReadonlyMap<JobId, StoredJob>
  readonly leaseMs: number
  /**
   * Jobs that may be missing or run again although somebody was told otherwise: the last moments before a crash of a
   * server that promises no more. Nobody is excused by default.
   */
  readonly isExcused?: ((id: JobId) => boolean) | undefined
}
