import type { SerializedError } from '../codec/serialized-error.ts'
import type { MissingResult } from '../states/encode-state.ts'
import { statusOf, type Status } from '../states/status.ts'
import type { JobId, Phase, StateRecord } from '../storage/job.ts'
import type { JobView } from '../storage/monitor.ts'
import { decodeMeta } from '../jobs/meta.ts'
import { fromStoragePriority } from '../jobs/priority.ts'
import type { ClientCore } from './client-core.ts'

export interface HistoryEntry {
  readonly state: string
  readonly phase: Phase
  readonly reason: string | undefined
  readonly at: Date
  readonly by: string | undefined
  readonly attempt: number
  readonly data: unknown
  /** Of a failure: the group of errors it belongs to. */
  readonly fingerprint: string | undefined
}

/** One run, as the history tells it. */
export interface Attempt {
  readonly n: number
  readonly startedAt: Date
  readonly endedAt: Date | undefined
  readonly server: string | undefined
  readonly outcome: 'running' | 'succeeded' | 'failed' | 'deleted' | 'snoozed' | 'handed back' | 'lost'
  readonly error?: SerializedError | undefined
}

export interface JobDetails {
  readonly id: JobId
  readonly name: string
  readonly version: number
  readonly queue: string
  readonly priority: number
  readonly state: string
  readonly phase: Phase
  readonly reason: string | undefined
  readonly status: Status
  readonly input: unknown
  readonly result: unknown
  /** Why there is no result although the job succeeded: it could not be stored. */
  readonly resultMissing: string | undefined
  readonly error: SerializedError | undefined
  readonly attempt: number
  readonly crashes: number
  readonly attempts: readonly Attempt[]
  readonly history: readonly HistoryEntry[]
  readonly progress: { readonly value: number; readonly message: string | undefined } | undefined
  readonly tags: readonly string[]
  readonly meta: Readonly<Record<string, unknown>>
  readonly createdAt: Date
  readonly scheduledFor: Date | undefined
  readonly startedAt: Date | undefined
  readonly finishedAt: Date | undefined
  /** When the job is deleted if it has not started. */
  readonly expiresAt: Date | undefined
  /** When its retention removes it. */
  readonly removedAt: Date | undefined
  readonly parents: readonly { readonly id: JobId; readonly phase: Phase | 'gone' }[]
  readonly children: number
  readonly recurring: { readonly id: string; readonly at: Date } | undefined
  readonly server: string | undefined
  /** A cancel was asked for and has not been answered yet. */
  readonly cancelling: { readonly reason?: string | undefined } | undefined
}

/** What people and programs see of a job. Data that cannot be read is shown as undefined, never as a failure of the page. */
export function jobDetails(core: ClientCore, view: JobView, history: readonly StateRecord[]): JobDetails {
  const entries = history.map((record) => historyEntry(core, record))
  const result =
    view.state.phase === 'succeeded' && view.state.data !== undefined ? core.tryDecode(view.state.data) : undefined
  const missing = missingReason(result)
  const lastFailure = history.findLast((record) => record.error !== undefined)
  const finished = view.state.phase === 'succeeded' || view.state.phase === 'failed' || view.state.phase === 'deleted'
  return {
    id: view.id,
    name: view.name,
    version: view.version,
    queue: view.queue,
    priority: fromStoragePriority(view.priority),
    state: view.state.name,
    phase: view.state.phase,
    reason: view.state.reason,
    status: statusOf(view.state.phase),
    input: core.tryDecode(view.payload),
    result: missing === undefined ? result : undefined,
    resultMissing: missing,
    error: lastFailure === undefined ? undefined : readError(core, lastFailure),
    attempt: view.attempt,
    crashes: view.crashes,
    attempts: attemptsOf(core, history),
    history: entries,
    progress: readProgress(core, view),
    tags: view.tags,
    meta: decodeMeta(view.params, core.wire),
    createdAt: new Date(view.createdAt),
    scheduledFor: date(view.dueAt),
    startedAt: date(history.findLast((record) => record.phase === 'active')?.at),
    finishedAt: finished ? new Date(view.state.at) : undefined,
    expiresAt: date(view.expiresAt),
    removedAt: date(view.removeAt),
    parents: view.parents,
    children: view.children,
    recurring: view.recurring === undefined ? undefined : { id: view.recurring.id, at: new Date(view.recurring.at) },
    server: view.server,
    cancelling: view.cancelling,
  }
}

export function historyEntry(core: ClientCore, record: StateRecord): HistoryEntry {
  return {
    state: record.name,
    phase: record.phase,
    reason: record.reason,
    at: new Date(record.at),
    by: record.by === '' ? undefined : record.by,
    attempt: record.attempt,
    data: record.data === undefined ? undefined : core.tryDecode(record.data),
    fingerprint: record.error?.fingerprint,
  }
}

export function missingReason(result: unknown): string | undefined {
  // Alone, as we write it: in other company it is somebody's data.
  if (typeof result !== 'object' || result === null || Object.keys(result).join() !== '~missing') return undefined
  return (result as MissingResult)['~missing']
}

export function readError(core: ClientCore, record: StateRecord): SerializedError {
  const data = record.data === undefined ? undefined : core.tryDecode(record.data)
  if (typeof data === 'object' && data !== null && 'message' in data) return data as SerializedError
  return { name: 'Error', message: record.error?.preview ?? record.reason ?? record.name }
}

function readProgress(core: ClientCore, view: JobView): JobDetails['progress'] {
  const data = view.progress === undefined ? undefined : core.tryDecode(view.progress)
  if (!Array.isArray(data) || typeof data[0] !== 'number') return undefined
  return { value: data[0], message: typeof data[1] === 'string' ? data[1] : undefined }
}

function attemptsOf(core: ClientCore, history: readonly StateRecord[]): Attempt[] {
  const attempts: Attempt[] = []
  history.forEach((record, index) => {
    if (record.phase !== 'active') return
    const end = history[index + 1]
    attempts.push({
      n: record.attempt,
      startedAt: new Date(record.at),
      endedAt: date(end?.at),
      server: record.by === '' ? undefined : record.by,
      outcome: outcomeOf(record, end),
      ...(end?.error === undefined ? {} : { error: readError(core, end) }),
    })
  })
  return attempts
}

function outcomeOf(start: StateRecord, end: StateRecord | undefined): Attempt['outcome'] {
  if (end === undefined) return 'running'
  if (end.phase === 'succeeded' || end.phase === 'deleted') return end.phase
  if (end.phase === 'failed') return end.by === '' ? 'lost' : 'failed'
  if (end.attempt < start.attempt) return end.phase === 'scheduled' ? 'snoozed' : 'handed back'
  return 'lost'
}

function date(ms: number | undefined): Date | undefined {
  return ms === undefined ? undefined : new Date(ms)
}
