import type { JobId, Ms, Occurrence, Payload, Phase, SessionId, StateRecord } from './job.ts'
import type { QueueConfig } from './queues.ts'
import type { RecurringRecord } from './recurring.ts'
import type { Session } from './work.ts'

export interface JobQuery {
  readonly phase?: readonly Phase[] | undefined
  readonly state?: readonly string[] | undefined
  readonly queue?: readonly string[] | undefined
  readonly name?: readonly string[] | undefined
  /** Any of these tags. */
  readonly tag?: readonly string[] | undefined
  /** The fingerprint of the present state's error, or of the last failed one while the job waits for its retry. */
  readonly error?: string | undefined
  readonly recurring?: string | undefined
  /** Held by this session now. */
  readonly session?: SessionId | undefined
  /** The children of this job. */
  readonly parent?: JobId | undefined
  readonly minAttempt?: number | undefined
  /** When the present state was entered, on the storage's clock; frozen at the start of a bulk command, so that nothing is met twice. */
  readonly enteredAfter?: Ms | undefined
  readonly enteredBefore?: Ms | undefined
  readonly createdAfter?: Ms | undefined
  readonly createdBefore?: Ms | undefined
  readonly minRanMs?: Ms | undefined
  readonly minWaitedMs?: Ms | undefined
  /** A part of the id, name, tags, preview or error preview; case is folded. Scanned within a budget unless the storage indexes it. */
  readonly text?: string | undefined
}

export interface PageRequest {
  readonly limit: number
  readonly cursor?: string | undefined
  /** By the instant the present state was entered; `claim` = the order in which ready jobs are claimed, `due` = scheduled ones by due time. Default newest. */
  readonly order?: 'newest' | 'oldest' | 'claim' | 'due' | undefined
}

/** Keyset pages with an opaque cursor. A page may be short; it is the last one only when `next` is absent. */
export interface Page<T> {
  readonly items: readonly T[]
  readonly next?: string | undefined
  /** Where not everything could be looked at within the budget. */
  readonly searched?: { readonly scanned: number; readonly complete: boolean } | undefined
}

export interface Read {
  readonly signal?: AbortSignal | undefined
  /** Default 2000. */
  readonly timeoutMs?: Ms | undefined
}

export interface JobSummary {
  readonly id: JobId
  readonly queue: string
  readonly name: string
  readonly version: number
  readonly priority: number
  readonly state: Omit<StateRecord, 'data'>
  readonly attempt: number
  readonly crashes: number
  readonly preview?: string | undefined
  readonly tags: readonly string[]
  readonly createdAt: Ms
  readonly dueAt?: Ms | undefined
  readonly expiresAt?: Ms | undefined
  /** When retention removes it. */
  readonly removeAt?: Ms | undefined
  readonly server?: string | undefined
  readonly waitedMs?: Ms | undefined
  readonly ranMs?: Ms | undefined
}

export interface JobView extends Omit<JobSummary, 'state'> {
  readonly payload: Payload
  readonly state: StateRecord
  readonly params: Readonly<Record<string, string>>
  readonly progress?: Payload | undefined
  readonly recurring?: Occurrence | undefined
  readonly parents: readonly { readonly id: JobId; readonly phase: Phase | 'gone' }[]
  readonly children: number
  readonly cancelling?: { readonly reason?: string | undefined } | undefined
}

export interface Counts {
  readonly at: Ms
  readonly exact: boolean
  readonly byPhase: Readonly<Record<Phase, number>>
  /** Scheduled jobs that have run before. */
  readonly retrying: number
  readonly byQueue: Readonly<Record<string, QueueCounts>>
}

export interface QueueCounts {
  readonly ready: number
  readonly active: number
  readonly scheduled: number
  readonly oldestReadyAt?: Ms | undefined
}

/** What happened in one step of time. The histograms merge by addition; percentiles come from merged ones, never from averages. */
export interface Bucket {
  readonly at: Ms
  readonly key: string
  readonly created: number
  readonly ok: number
  readonly failed: number
  readonly retried: number
  readonly runMs: readonly number[]
  readonly waitMs: readonly number[]
}

export interface SeriesQuery {
  readonly by: 'all' | 'name' | 'queue'
  readonly key?: string | undefined
  readonly from: Ms
  readonly to: Ms
  readonly step: 'minute' | 'hour' | 'day'
}

export interface ErrorGroup {
  readonly fingerprint: string
  readonly preview: string
  readonly names: readonly string[]
  readonly count: number
  readonly firstAt: Ms
  readonly lastAt: Ms
  /** Counts of the last 24 hours, oldest first. */
  readonly trend: readonly number[]
  readonly sample: JobId
}

/** Why a job does not run, as facts. */
export interface Standing {
  readonly phase: Phase
  readonly ahead?: { readonly value: number; readonly exact: boolean } | undefined
  readonly gates: readonly {
    readonly key: string
    readonly limit?: number | undefined
    readonly used: number
    readonly holders: readonly JobId[]
    readonly opensAt?: Ms | undefined
  }[]
  readonly parents: readonly { readonly id: JobId; readonly phase: Phase | 'gone' }[]
  readonly queue: QueueConfig
  readonly parkedFor?: string | undefined
  readonly dueAt?: Ms | undefined
}

export interface LogLine {
  readonly n: number
  readonly at: Ms
  readonly attempt: number
  readonly text: Payload
}

export interface SessionView extends Session {
  readonly seenAt: Ms
  readonly openedAt: Ms
  readonly held: number
}

/** What people read. Never on the hot path, never a full scan; a page costs O(page). */
export interface MonitorRoom {
  get(ids: readonly JobId[], read?: Read): Promise<readonly (JobView | null)[]>
  /** Oldest first, from `after` (exclusive). */
  history(id: JobId, after?: number, read?: Read): Promise<readonly StateRecord[]>
  logs(id: JobId, after?: number, read?: Read): Promise<Page<LogLine>>
  list(query: JobQuery, page: PageRequest, read?: Read): Promise<Page<JobSummary>>
  /** Counts up to `max`, then says `exact: false`. */
  count(query: JobQuery, max: number, read?: Read): Promise<{ readonly value: number; readonly exact: boolean }>
  counts(read?: Read): Promise<Counts>
  series(query: SeriesQuery, read?: Read): Promise<readonly Bucket[]>
  errors(page: PageRequest & { readonly fingerprint?: string | undefined }, read?: Read): Promise<Page<ErrorGroup>>
  standing(id: JobId, read?: Read): Promise<Standing | null>
  sessions(read?: Read): Promise<readonly SessionView[]>
  queues(read?: Read): Promise<readonly ({ readonly name: string } & QueueConfig)[]>
  names(kind: 'job' | 'queue' | 'tag', prefix: string, limit: number, read?: Read): Promise<readonly string[]>
  /** Ordered by id. */
  recurring(
    page: {
      readonly limit: number
      readonly cursor?: string | undefined
      readonly ids?: readonly string[] | undefined
      readonly owner?: string | undefined
    },
    read?: Read,
  ): Promise<Page<RecurringRecord>>
  /** A number that grows when anything may have changed: a cheap "anything new?". */
  changes(read?: Read): Promise<number>
}
