import type { StateInput, StateRecord } from '../storage/job.ts'
import type { JobSummary, JobView } from '../storage/monitor.ts'
import { previewOf } from '../storage/preview.ts'
import { copyPayload } from './copy.ts'
import { type StateEntry, type StoredJob, phaseOf } from './job.ts'
import type { Store } from './store.ts'

/** What leaves the storage is made anew each time: nobody can change a job by changing what was read. */
export function stateRecord(entry: StateEntry): StateRecord {
  const { data } = entry.state
  return { ...summaryRecord(entry), ...(data === undefined ? {} : { data: copyPayload(data) }) }
}

export function summaryOf(job: StoredJob): JobSummary {
  const preview = job.preview ?? previewOf(job.payload)
  return {
    id: job.id,
    queue: job.lane.queue.name,
    name: job.lane.name,
    version: job.version,
    priority: job.priority,
    state: summaryRecord(job.state),
    attempt: job.attempt,
    crashes: job.crashes,
    tags: job.tags,
    createdAt: job.createdAt,
    ...(preview === undefined ? {} : { preview }),
    ...(job.dueAt === undefined ? {} : { dueAt: job.dueAt }),
    ...(job.rare?.expiresAt === undefined ? {} : { expiresAt: job.rare.expiresAt }),
    ...(job.removeAt === undefined ? {} : { removeAt: job.removeAt }),
    ...(job.claim === null ? {} : { server: job.claim.session.server }),
    ...(job.waitedMs === undefined ? {} : { waitedMs: job.waitedMs }),
    ...(job.ranMs === undefined ? {} : { ranMs: job.ranMs }),
  }
}

export function viewOf(store: Store, job: StoredJob): JobView {
  const { rare, recurring } = job
  return {
    ...summaryOf(job),
    state: stateRecord(job.state),
    payload: copyPayload(job.payload),
    params: job.params,
    parents: parentsOf(store, job),
    children: rare?.family?.children.size ?? 0,
    ...(rare?.progress === undefined ? {} : { progress: copyPayload(rare.progress) }),
    ...(recurring === undefined ? {} : { recurring: { id: recurring.id, at: recurring.at } }),
    ...(rare?.wish === undefined ? {} : { cancelling: { reason: rare.wish.to.reason } }),
  }
}

export function parentsOf(store: Store, job: StoredJob): JobView['parents'] {
  return (job.rare?.family?.parents ?? []).map((id) => {
    const parent = store.jobs.get(id)
    return { id, phase: parent === undefined ? 'gone' : phaseOf(parent) }
  })
}

/** Oldest first, from the one after number `after`. */
export function historyOf(job: StoredJob, after: number): StateRecord[] {
  const records: StateRecord[] = []
  for (let entry: StateEntry | null = job.state; entry !== null && entry.n > after; entry = entry.previous) {
    if (records.length === mostRecords) break
    records.push(stateRecord(entry))
  }
  return records.reverse()
}

const mostRecords = 200

function summaryRecord({ state, n, at, attempt, by, command }: StateEntry): Omit<StateRecord, 'data'> {
  return {
    ...describe(state),
    n,
    at,
    attempt,
    by,
    ...(command === undefined ? {} : { command }),
  }
}

function describe({ name, phase, reason, error }: StateInput): Omit<StateInput, 'data'> {
  return {
    name,
    phase,
    ...(reason === undefined ? {} : { reason }),
    ...(error === undefined ? {} : { error: { ...error } }),
  }
}
