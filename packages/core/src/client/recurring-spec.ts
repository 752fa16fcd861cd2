import { jobIdFrom } from '../jobs/job-id.ts'
import { describeSchedule } from '../schedule/describe-schedule.ts'
import { withJitter } from '../schedule/jitter.ts'
import type { Misfire } from '../schedule/plan-occurrences.ts'
import { type Schedule, parseSchedule } from '../schedule/schedule.ts'
import { nextOccurrences } from '../schedule/next-occurrences.ts'
import type { JobId, NewJob, Payload } from '../storage/job.ts'
import { finalPhases } from '../storage/job.ts'
import type { RecurringRecord } from '../storage/recurring.ts'
import type { ClientCore } from './client-core.ts'
import type { RecurringJob } from './recurring.ts'

/** What becomes of an occurrence while the run before it goes on: `skip` leaves it out, `wait` starts it afterwards. */
export type Overlap = 'allow' | 'skip' | 'wait'

/** The schedule of a recurring record and how it is meant, as stored. */
export interface RecurringSpec {
  readonly schedule: Schedule
  readonly misfire: Misfire
  readonly overlap: Overlap
  readonly jitterMs: number
}

export function encodeSpec(spec: RecurringSpec): string {
  return JSON.stringify(spec)
}

export function decodeSpec(payload: Payload): RecurringSpec {
  return JSON.parse(typeof payload === 'string' ? payload : Buffer.from(payload).toString('utf8')) as RecurringSpec
}

/** The jobs of these occurrences. Their ids follow from record and instant, so that nobody can make one twice. */
export function occurrenceJobs(
  record: RecurringRecord,
  spec: RecurringSpec,
  instants: readonly number[],
  idOf?: (at: number) => JobId,
): NewJob[] {
  let previous = record.lastJob
  return instants.map((at) => {
    const id = idOf?.(at) ?? jobIdFrom(`recurring:${record.id}@${at}`)
    const occurrence = { ...record.job, id, recurring: { id: record.id, at } }
    const job =
      spec.overlap === 'wait' && previous !== undefined
        ? afterPrevious(occurrence, previous)
        : delayed(occurrence, record.id, at, spec)
    previous = id
    return job
  })
}

function afterPrevious(job: NewJob, previous: JobId): NewJob {
  return {
    ...job,
    state: { name: 'awaiting', phase: 'awaiting', reason: 'the run before it' },
    after: [{ parent: previous, on: finalPhases, missing: 'met' }],
  }
}

function delayed(job: NewJob, id: string, at: number, { jitterMs }: RecurringSpec): NewJob {
  if (jitterMs === 0) return job
  return {
    ...job,
    state: { name: 'scheduled', phase: 'scheduled', reason: 'spread by its jitter' },
    at: withJitter(id, at, jitterMs),
  }
}

/** A record as people see it. */
export function readRecurring(core: ClientCore, record: RecurringRecord): RecurringJob {
  const spec = decodeSpec(record.spec)
  const { paused } = record
  return {
    id: record.id,
    job: record.job.name,
    queue: record.job.queue,
    input: core.tryDecode(record.job.payload),
    schedule: spec.schedule,
    words: describeSchedule(parseSchedule(spec.schedule)),
    misfire: spec.misfire,
    overlap: spec.overlap,
    jitterMs: spec.jitterMs,
    nextAt: record.nextAt === null ? null : new Date(record.nextAt),
    lastAt: record.lastAt === undefined ? undefined : new Date(record.lastAt),
    lastJob: record.lastJob,
    paused:
      paused === undefined
        ? undefined
        : {
            at: new Date(paused.at),
            by: paused.by,
            reason: paused.reason,
            until: paused.until === undefined ? undefined : new Date(paused.until),
          },
    owner: record.owner,
    error: record.error,
    version: record.version,
    next: (count) => nextOccurrences(spec.schedule, { after: new Date(core.clock.now()), count }),
  }
}
