export {
  type BaseClient,
  type Client,
  type ContinueOptions,
  type Enqueuing,
  type Parent,
  type Storable,
} from './client/client-types.ts'
export { type ClientOptions, createClient } from './client/client.ts'
export { type BulkCommands, type BulkOptions, type BulkResult } from './client/bulk.ts'
export { type CancelOptions, type CancelResult } from './client/cancel.ts'
export { type CommandOptions, type CommandResult } from './client/commands.ts'
export { type Blocker, type BlockerCode, type Explanation } from './client/explain.ts'
export { type JobHandle, type JobState, type ResultOptions } from './client/handle.ts'
export { type Attempt, type HistoryEntry, type JobDetails } from './client/job-details.ts'
export { type Lock, type LockOptions } from './client/lock.ts'
export { type LogEntry } from './client/log-entry.ts'
export { type Monitor, type ServerView } from './client/monitor.ts'
export { type PauseOptions, type Queues, type QueueSettings } from './client/queues.ts'
export {
  type ReconcileOptions,
  type Recurring,
  type RecurringEntry,
  type RecurringInput,
  type RecurringJob,
  type RecurringOptions,
  recurringJob,
} from './client/recurring.ts'
export { type Overlap } from './client/recurring-spec.ts'
export { type JobEvent } from './client/subscribe.ts'
export { type Codec } from './codec/codec.ts'
export { jsonCodec } from './codec/json-codec.ts'
export { type SerializedError, reviveError, serializeError } from './codec/serialized-error.ts'
export { structuredCodec } from './codec/structured-codec.ts'
export { defaultClient, setDefaultClient } from './default-client.ts'
export { JobDeletedError, JobFailedError, JobLoadError, QError, type QErrorCode, isQError } from './errors.ts'
export { automaticRetry } from './filters/automatic-retry.ts'
export { type CaptureContextOptions, captureContext } from './filters/capture-context.ts'
export {
  type DisableConcurrentExecutionOptions,
  disableConcurrentExecution,
} from './filters/disable-concurrent-execution.ts'
export {
  type AppliedContext,
  type BusyContext,
  type CreateContext,
  type Created,
  type ElectContext,
  type Filter,
  type FilteredJob,
  addGlobalFilter,
  defineFilter,
} from './filters/filter.ts'
export { latencyTimeout } from './filters/latency-timeout.ts'
export {
  type ConcurrencyOptions,
  type Handler,
  type JobDefinition,
  type JobOptions,
  type RateOptions,
  type UniqueOptions,
  defineJob,
} from './jobs/define-job.ts'
export { type EnqueueOptions, type KeepOptions, type Priority } from './jobs/enqueue-options.ts'
export { type JobContext, type JobLog, type Provided } from './jobs/job-context.ts'
export { jobIdFrom, newJobId } from './jobs/job-id.ts'
export { keyForPeople } from './jobs/limits.ts'
export { type CancelJob, type Outcome, type Reject, type Snooze, cancelJob, reject, snooze } from './jobs/outcome.ts'
export { type Backoff, type Jitter, type RetryOptions, exponential, fixed, list } from './jobs/retry.ts'
export { type StandardSchema } from './jobs/standard-schema.ts'
export { type TraceContext, currentTrace, withTrace } from './jobs/trace-context.ts'
export { type Logger, silentLogger } from './logger.ts'
export { type MemoryStorage, memoryStorage } from './memory/index.ts'
export { describeSchedule } from './schedule/describe-schedule.ts'
export { type Duration, parseDuration } from './schedule/duration.ts'
export { type Instant } from './schedule/instant.ts'
export { type NextOccurrencesOptions, nextOccurrences } from './schedule/next-occurrences.ts'
export { type Misfire } from './schedule/plan-occurrences.ts'
export { type CronSchedule, type IntervalSchedule, type Schedule, parseSchedule } from './schedule/schedule.ts'
export { type Server, type ServerHealth, type ServerOptions, type StopOptions, createServer } from './server/server.ts'
export { type ServerInfo } from './server/server-info.ts'
export { type ServerQueues } from './server/queue-list.ts'
export { matchesPattern as matchesQueuePattern } from './server/queue-pattern.ts'
export { type Awaiting, type ParentEnd, awaiting } from './states/awaiting.ts'
export { defineState } from './states/define-state.ts'
export { type Deleted, deleted } from './states/deleted.ts'
export { type Enqueued, enqueued } from './states/enqueued.ts'
export { type Failed, failed } from './states/failed.ts'
export { type Processing } from './states/processing.ts'
export { type Scheduled, type When, scheduled } from './states/scheduled.ts'
export { type AnyState, type State, type StateDefinition, type StateMap } from './states/state.ts'
export { type Status, statusOf } from './states/status.ts'
export { type Succeeded, succeeded } from './states/succeeded.ts'
export { type JobId, type Phase } from './storage/job.ts'
export {
  type Bucket,
  type Counts,
  type ErrorGroup,
  type JobQuery,
  type JobSummary,
  type Page,
  type PageRequest,
  type QueueCounts,
  type SeriesQuery,
} from './storage/monitor.ts'
export { type QueueConfig } from './storage/queues.ts'
export { type RecurringRun } from './storage/recurring.ts'
export {
  type Capabilities,
  type Durability,
  type JobStorage,
  type SynchronousStorage,
  type TransactionalStorage,
} from './storage/storage.ts'
export { openStorage, registerStorage, type StorageFactory } from './storage-url.ts'
