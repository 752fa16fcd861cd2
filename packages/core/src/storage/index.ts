export {
  type Capabilities,
  type Durability,
  type JobStorage,
  type SynchronousStorage,
  type TransactionalStorage,
} from './storage.ts'
export {
  type ClaimToken,
  type Edge,
  type FinalPhase,
  type Gate,
  type JobId,
  type Keep,
  type Ms,
  type NewJob,
  type Occurrence,
  type Payload,
  type Phase,
  type Rate,
  type SessionId,
  type StateInput,
  type StateRecord,
  type UniqueKey,
  defaultCrashLimit,
  defaultKeepMs,
  defaultPriority,
  finalPhases,
  isFinalPhase,
  phases,
} from './job.ts'
export {
  type ApplyOutcome,
  type CreateOutcome,
  type JobsRoom,
  type SynchronousJobsRoom,
  type Transition,
  type TransactionalJobsRoom,
} from './jobs.ts'
export {
  type Claim,
  type ClaimedJob,
  type Exchange,
  type ExchangeResult,
  type Note,
  type Pacemaker,
  type Reconciled,
  type Session,
  type Signals,
  type WorkRoom,
  claimToken,
  parseToken,
} from './work.ts'
export { type JobCircle, type ParentOrder, orderByParents } from './order-by-parents.ts'
export { nextTokenAt, takeToken, tokensLeft } from './rate.ts'
export { type SignsOfLife, signsOfLife } from './signs-of-life.ts'
export { type Recovered, type UpkeepRoom } from './upkeep.ts'
export {
  type Paused,
  type RecurringPut,
  type RecurringRecord,
  type RecurringRoom,
  type RecurringRun,
  type RecurringTick,
} from './recurring.ts'
export { type LockGrant, type LocksRoom } from './locks.ts'
export { type QueueConfig, type QueuesRoom } from './queues.ts'
export { type Topic, type WakeupsRoom, type Watch } from './wakeups.ts'
export {
  type Bucket,
  type Counts,
  type ErrorGroup,
  type JobQuery,
  type JobSummary,
  type JobView,
  type LogLine,
  type MonitorRoom,
  type Page,
  type PageRequest,
  type QueueCounts,
  type Read,
  type SeriesQuery,
  type SessionView,
  type Standing,
} from './monitor.ts'
export { entered, replacedBy, unmetBy } from './entered.ts'
export { type QueryFacts, matchesQuery } from './matches-query.ts'
export { addHistograms, histogramIndex, histogramSize, percentile } from './histogram.ts'
export { cutToBytes, previewOf } from './preview.ts'
export { isJobId, payloadBytes, whyInvalidJob, whyInvalidRate, whyInvalidTransition } from './validate.ts'
export { type QErrorCode, QError, isQError } from '../errors.ts'
export { type Clock, type Timer, systemClock } from '../clock.ts'
