import type { JobsRoom, SynchronousJobsRoom, TransactionalJobsRoom } from './jobs.ts'
import type { LocksRoom } from './locks.ts'
import type { MonitorRoom } from './monitor.ts'
import type { QueuesRoom } from './queues.ts'
import type { RecurringRoom } from './recurring.ts'
import type { UpkeepRoom } from './upkeep.ts'
import type { WakeupsRoom } from './wakeups.ts'
import type { WorkRoom } from './work.ts'

/** What a crash may cost: `none` everything; `process` survives a crash of the process; `lazy` may lose the last moments; `synced` only what was never acknowledged; `quorum` survives a lost node. */
export type Durability = 'none' | 'process' | 'lazy' | 'synced' | 'quorum'

/** What a storage can do. Core asks here, once; it never asks which storage it is. */
export interface Capabilities {
  readonly durability: Durability
  readonly transactionalCreate: boolean
  readonly syncCreate: boolean
  /** Wake-ups arrive by themselves; otherwise only polling tells. */
  readonly push: boolean
  readonly multiProcess: boolean
  readonly multiHost: boolean
  readonly search: 'none' | 'scan' | 'indexed'
  /** Items in one call of `create`, `apply` or `exchange`. */
  readonly maxBatch: number
  /** Exchanges of one session that may be under way at once; they are carried out in the order of their numbers. Default 1. */
  readonly callsInFlight?: number | undefined
  /** Bytes of one payload. */
  readonly maxPayload: number
}

/**
 * A storage, room by room. Every method is one atomic step, takes and returns lists in order, and answers per item: one
 * bad item never fails its neighbours. Errors are QErrors with one of four codes: Q_STORAGE_UNAVAILABLE (certainly not
 * applied), Q_AMBIGUOUS (may or may not be applied), Q_SESSION_LOST, Q_CALL_CLOSED.
 */
export interface JobStorage {
  /** For people: what this is and where, without secrets. */
  readonly label: string
  /** Known after `start`; before it, what can be said without a connection. */
  readonly capabilities: Capabilities
  readonly jobs: JobsRoom
  readonly work: WorkRoom
  readonly upkeep: UpkeepRoom
  readonly recurring: RecurringRoom
  readonly locks: LocksRoom
  readonly queues: QueuesRoom
  readonly monitor: MonitorRoom
  readonly wakeups: WakeupsRoom
  /** Opens it and brings its schema up to date; safe to call often and from many processes at once. Every other method calls it first. */
  start(): Promise<void>
  /** Waits for the calls in flight; later calls are refused with Q_STORAGE_UNAVAILABLE. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A storage that can create jobs without waiting. */
export interface SynchronousStorage extends JobStorage {
  readonly jobs: SynchronousJobsRoom
}

/** A storage that can create jobs inside the caller's own transaction. */
export interface TransactionalStorage<Tx> extends JobStorage {
  readonly jobs: TransactionalJobsRoom<Tx>
}
