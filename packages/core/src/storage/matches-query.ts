import type { JobId, Ms, Occurrence, Phase, SessionId } from './job.ts'
import type { JobQuery } from './monitor.ts'

/** What a query asks of a job. A summary is enough for all but the last four fields. */
export interface QueryFacts {
  readonly id: JobId
  readonly queue: string
  readonly name: string
  readonly tags: readonly string[]
  readonly preview?: string | undefined
  readonly state: {
    readonly name: string
    readonly phase: Phase
    readonly at: Ms
    readonly error?: { readonly fingerprint: string; readonly preview: string } | undefined
  }
  readonly attempt: number
  readonly createdAt: Ms
  readonly waitedMs?: Ms | undefined
  readonly ranMs?: Ms | undefined
  /** The fingerprint of its last failure, while it waits for another run. */
  readonly lastError?: string | undefined
  readonly recurring?: Occurrence | undefined
  /** Of the session that holds it. */
  readonly session?: SessionId | undefined
  readonly parents?: readonly JobId[] | undefined
}

/**
 * Whether a job is meant by a query: for storages that read candidates by an index and filter the rest themselves.
 * Spans of time contain their start and not their end.
 */
export function matchesQuery(job: QueryFacts, query: JobQuery): boolean {
  const { state } = job
  return (
    isOneOf(state.phase, query.phase) &&
    isOneOf(state.name, query.state) &&
    isOneOf(job.queue, query.queue) &&
    isOneOf(job.name, query.name) &&
    (query.tag === undefined || query.tag.some((tag) => job.tags.includes(tag))) &&
    (query.error === undefined || query.error === (state.error?.fingerprint ?? job.lastError)) &&
    (query.recurring === undefined || query.recurring === job.recurring?.id) &&
    (query.session === undefined || query.session === job.session) &&
    (query.parent === undefined || job.parents?.includes(query.parent) === true) &&
    (query.minAttempt === undefined || job.attempt >= query.minAttempt) &&
    isWithin(state.at, query.enteredAfter, query.enteredBefore) &&
    isWithin(job.createdAt, query.createdAfter, query.createdBefore) &&
    (query.minRanMs === undefined || (job.ranMs ?? -1) >= query.minRanMs) &&
    (query.minWaitedMs === undefined || (job.waitedMs ?? -1) >= query.minWaitedMs) &&
    (query.text === undefined || containsText(job, query.text.toLowerCase()))
  )
}

function isOneOf<T>(value: T, wanted: readonly T[] | undefined): boolean {
  return wanted === undefined || wanted.includes(value)
}

function isWithin(at: Ms, from: Ms | undefined, to: Ms | undefined): boolean {
  return (from === undefined || at >= from) && (to === undefined || at < to)
}

function containsText(job: QueryFacts, text: string): boolean {
  const texts = [job.id, job.name, job.preview ?? '', job.state.error?.preview ?? '', ...job.tags]
  return texts.some((candidate) => candidate.toLowerCase().includes(text))
}
