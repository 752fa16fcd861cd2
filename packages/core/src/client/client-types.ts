import type { JobDefinition } from '../jobs/define-job.ts'
import type { EnqueueOptions } from '../jobs/enqueue-options.ts'
import type { Duration } from '../schedule/duration.ts'
import type { ParentEnd } from '../states/awaiting.ts'
import type { When } from '../states/scheduled.ts'
import type { JobId } from '../storage/job.ts'
import type { JobQuery } from '../storage/monitor.ts'
import type { JobStorage, SynchronousStorage, TransactionalStorage } from '../storage/storage.ts'
import type { BulkCommands } from './bulk.ts'
import type { CancelOptions, CancelResult } from './cancel.ts'
import type { CommandOptions, CommandResult } from './commands.ts'
import type { Explanation } from './explain.ts'
import type { JobHandle } from './handle.ts'
import type { JobDetails } from './job-details.ts'
import type { Lock, LockOptions } from './lock.ts'
import type { Monitor } from './monitor.ts'
import type { Queues } from './queues.ts'
import type { Recurring } from './recurring.ts'

/** A parent of a continuation: its handle or its id. */
export type Parent = JobId | { readonly id: JobId }

export interface ContinueOptions extends EnqueueOptions {
  /** Which end of the parents the job waits for. Default 'succeeded'. */
  readonly on?: ParentEnd | undefined
  /** Wait this long after the last parent's end. */
  readonly in?: Duration | undefined
}

/** A value that can be stored: functions and symbols are refused by the compiler, the rest when it is encoded. */
export type Storable<T> = T extends ((...args: never[]) => unknown) | symbol
  ? never
  : T extends Date | Map<unknown, unknown> | Set<unknown> | ArrayBufferView | readonly unknown[]
    ? T
    : T extends object
      ? { readonly [K in keyof T]: Storable<T[K]> }
      : T

/** What enqueueing takes after the job: nothing needs to be given for a job without input. */
export type InputAnd<Input, Options> = [Input] extends [void | undefined]
  ? [input?: undefined, options?: Options]
  : [input: Storable<NoInfer<Input>>, options?: Options]

export interface Enqueuing {
  /** Creates a job. Resolves when it is durable at the storage's stated level; calls in flight together travel together. */
  enqueue<Input, Result>(
    job: JobDefinition<Input, Result>,
    ...rest: InputAnd<Input, EnqueueOptions>
  ): Promise<JobHandle<Result>>
  /** One handle per input, in order. An input that is refused refuses the call before anything is stored. */
  enqueueMany<Input, Result>(
    job: JobDefinition<Input, Result>,
    inputs: readonly Storable<NoInfer<Input>>[],
    options?: Omit<EnqueueOptions, 'id'>,
  ): Promise<JobHandle<Result>[]>
  /** Creates a job that becomes due later. */
  schedule<Input, Result>(
    job: JobDefinition<Input, Result>,
    input: Storable<NoInfer<Input>>,
    options: When & EnqueueOptions,
  ): Promise<JobHandle<Result>>
  /** Creates a job that waits for others to end. A parent that ended before decides at once. */
  continueWith<Input, Result>(
    parents: Parent | readonly Parent[],
    job: JobDefinition<Input, Result>,
    ...rest: InputAnd<Input, ContinueOptions>
  ): Promise<JobHandle<Result>>
}

export interface BaseClient extends Enqueuing, AsyncDisposable {
  /** A handle on a job made elsewhere. */
  handle(id: JobId): JobHandle<unknown>
  handle<Input, Result>(job: JobDefinition<Input, Result>, id: JobId): JobHandle<Result>
  /** Everything that is known of a job; null when it never existed or its retention has ended. */
  get(id: JobId): Promise<JobDetails | null>
  /** Puts a job back into its queue, its attempts starting over. */
  requeue(id: JobId, options?: CommandOptions): Promise<CommandResult>
  /** Ends a job, whatever it is doing: a run is voided at once. */
  delete(id: JobId, options?: CommandOptions): Promise<CommandResult>
  /** Asks a job to stop, in any state and from any process, and waits for how it ended. */
  cancel(id: JobId, options?: CancelOptions): Promise<CancelResult>
  reschedule(id: JobId, options: When & CommandOptions): Promise<CommandResult>
  readonly jobs: {
    /** Commands on every job that matches. */
    where(query: BulkQuery): BulkCommands
  }
  /** Why is it not running? Facts in the order of their weight. */
  explain(id: JobId): Promise<Explanation | null>
  readonly recurring: Recurring
  readonly queues: Queues
  /** A lock over all processes, renewed until it is disposed. */
  lock(name: string, options: LockOptions): Promise<Lock>
  readonly monitor: Monitor
  /** Flushes what was accepted, then refuses. The storage stays open: whoever opened it closes it. */
  close(): Promise<void>
}

/** Bulk commands accept one value where a list stands in the query. */
export type BulkQuery = {
  readonly [K in keyof JobQuery]: JobQuery[K] extends readonly (infer Item)[] | undefined
    ? Item | readonly Item[] | undefined
    : JobQuery[K]
}

/** What the storage adds: creation in a transaction of yours, creation without waiting. */
export type Client<Storage extends JobStorage = JobStorage> = BaseClient &
  (Storage extends TransactionalStorage<infer Tx> ? { with(tx: Tx): Enqueuing } : unknown) &
  (Storage extends SynchronousStorage
    ? {
        enqueueSync<Input, Result>(
          job: JobDefinition<Input, Result>,
          ...rest: InputAnd<Input, EnqueueOptions>
        ): JobHandle<Result>
      }
    : unknown)
