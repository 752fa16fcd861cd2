import type { BaseClient } from '../client/client-types.ts'
import type { JobId } from '../storage/job.ts'

/** What a running handler can ask and tell. */
export interface JobContext<Input> {
  readonly id: JobId
  readonly name: string
  readonly queue: string
  readonly input: Input
  /** The number of this run, from 1. Snoozed and handed-back runs do not count. */
  readonly attempt: number
  /** Runs that were lost with their server. */
  readonly crashes: number
  readonly meta: Readonly<Record<string, unknown>>
  readonly tags: readonly string[]
  readonly createdAt: Date
  /** From ready to claimed, by the storage's clock. */
  readonly waitedMs: number
  /** Set when a recurring job made this one. */
  readonly recurring: { readonly id: string; readonly at: Date } | null
  /** Aborts on cancel, timeout, a stop past its grace, or a lost lease: stop working, nothing you return counts any more. */
  readonly signal: AbortSignal
  /** Shared by the filters and the handler of this run. */
  readonly items: Map<unknown, unknown>
  /** To enqueue more work. */
  readonly client: BaseClient
  /** Stored with the job. */
  readonly log: JobLog
  /** 0…1. Shown live; the last value wins. Anything else throws a RangeError. */
  progress(value: number, message?: string): void
  /** What the server was given as `provide`. */
  use<Key extends keyof Provided>(key: Key): Provided[Key]
}

export interface JobLog {
  debug(text: string, fields?: Readonly<Record<string, unknown>>): void
  info(text: string, fields?: Readonly<Record<string, unknown>>): void
  warn(text: string, fields?: Readonly<Record<string, unknown>>): void
  error(text: string, fields?: Readonly<Record<string, unknown>>): void
}

/**
 * What `ctx.use` knows. Declare yours by merging:
 *
 * @example
 * declare module '@q/core' { interface Provided { db: Database } }
 */
export interface Provided {
  [key: string]: unknown
}
