import type { JobDetails } from './job-details.ts'
import { jobDetails } from './job-details.ts'
import type { JobId } from '../storage/job.ts'
import type {
  Bucket,
  Counts,
  ErrorGroup,
  JobQuery,
  JobSummary,
  MonitorRoom,
  Page,
  PageRequest,
  Read,
  SeriesQuery,
} from '../storage/monitor.ts'
import type { QueueConfig } from '../storage/queues.ts'
import type { ClientCore } from './client-core.ts'
import type { LogEntry } from './log-entry.ts'
import { readLogEntry } from './log-entry.ts'
import type { RecurringJob } from './recurring.ts'
import { readRecurring } from './recurring-spec.ts'
import type { ServerInfo } from '../server/server-info.ts'
import { readServerInfo } from '../server/server-info.ts'

export interface ServerView {
  readonly session: string
  readonly name: string
  readonly startedAt: Date
  readonly seenAt: Date
  /** Silent for longer than its lease: its jobs are about to be handed on. */
  readonly silent: boolean
  readonly held: number
  readonly info: ServerInfo | undefined
}

/** What people read: counts, lists, histories. Never on the hot path; a page costs what it shows. */
export interface Monitor {
  counts(read?: Read): Promise<Counts>
  queues(read?: Read): Promise<readonly ({ readonly name: string } & QueueConfig)[]>
  jobs(query: JobQuery, page: PageRequest, read?: Read): Promise<Page<JobSummary>>
  count(query: JobQuery, max: number, read?: Read): Promise<{ readonly value: number; readonly exact: boolean }>
  job(id: JobId, read?: Read): Promise<JobDetails | null>
  /** What the job's runs wrote, oldest first, from `after` (exclusive). */
  logs(id: JobId, after?: number, read?: Read): Promise<Page<LogEntry>>
  errors(page: Parameters<MonitorRoom['errors']>[0], read?: Read): Promise<Page<ErrorGroup>>
  series(query: SeriesQuery, read?: Read): Promise<readonly Bucket[]>
  servers(read?: Read): Promise<readonly ServerView[]>
  recurring(page: Parameters<MonitorRoom['recurring']>[0], read?: Read): Promise<Page<RecurringJob>>
  names(kind: 'job' | 'queue' | 'tag', prefix?: string, limit?: number, read?: Read): Promise<readonly string[]>
  /** Grows when anything may have changed. */
  changes(read?: Read): Promise<number>
}

export function createMonitor(core: ClientCore): Monitor {
  const { monitor } = core.storage
  return {
    counts: (read) => monitor.counts(read),
    queues: (read) => monitor.queues(read),
    jobs: (query, page, read) => monitor.list(query, page, read),
    count: (query, max, read) => monitor.count(query, max, read),
    job: (id, read) => readDetails(core, id, read),
    async logs(id, after, read) {
      const page = await monitor.logs(id, after, read)
      return { ...page, items: page.items.map((line) => readLogEntry(core, line)) }
    },
    errors: (page, read) => monitor.errors(page, read),
    series: (query, read) => monitor.series(query, read),
    async servers(read) {
      const [sessions, { at }] = await Promise.all([monitor.sessions(read), monitor.counts(read)])
      return sessions.map((session) => ({
        session: session.id,
        name: session.server,
        startedAt: new Date(session.openedAt),
        seenAt: new Date(session.seenAt),
        silent: at - session.seenAt > session.ttl,
        held: session.held,
        info: readServerInfo(core, session.info),
      }))
    },
    async recurring(page, read) {
      const found = await monitor.recurring(page, read)
      return { ...found, items: found.items.map((record) => readRecurring(core, record)) }
    },
    names: (kind, prefix = '', limit = 100, read) => monitor.names(kind, prefix, limit, read),
    changes: (read) => monitor.changes(read),
  }
}

export async function readDetails(core: ClientCore, id: JobId, read?: Read): Promise<JobDetails | null> {
  const [[view], history] = await Promise.all([
    core.storage.monitor.get([id], read),
    core.storage.monitor.history(id, 0, read),
  ])
  return view === null || view === undefined ? null : jobDetails(core, view, history)
}
