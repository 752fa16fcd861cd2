import type { CreateOutcome, JobId, NewJob } from '@q/core/storage'
import { defaultPriority } from '@q/core/storage'
import { maxBatch } from './capabilities.ts'
import { encodeCold } from './codec.ts'
import { queueNamed } from './enter-state.ts'
import { addRun } from './runs.ts'
import type { Bound } from './statement.ts'
import {
  type SharedByJobs,
  addJob,
  addJobs,
  addPreviewedJobs,
  addReadies,
  addTag,
  anyStub,
  dropPlaces,
  hasStub,
  lastOfSpan,
  plainChunk,
} from './statements/create.ts'
import { addReady, hasJob } from './statements/job.ts'
import type { Store } from './store.ts'

/** A plain job, where it stands in its list, and what never changes of it. */
export interface Placed {
  readonly job: NewJob
  readonly index: number
  readonly cold: string | null
}

export function place(job: NewJob, index: number): Placed {
  return { job, index, cold: encodeCold(job) }
}

/** Ready at once, and nothing about it that another job, a key, a gate or the time could change. */
export function isPlain({ state, after, unique, gates, expires }: NewJob): boolean {
  return (
    state.phase === 'ready' &&
    after === undefined &&
    unique === undefined &&
    expires === undefined &&
    (gates === undefined || gates.length === 0) &&
    state.reason === undefined &&
    state.data === undefined &&
    state.error === undefined
  )
}

/** Jobs of one kind, one after the other, are stored together; the rest one by one. */
export function createPlain(store: Store, jobs: readonly Placed[], outcomes: CreateOutcome[]): void {
  const mayBeStub = store.db.get(anyStub) !== undefined
  for (let start = 0, end = 0; start < jobs.length; start = end) {
    const first = jobs[start]!
    end = start + 1
    // One that is there already makes no queue: the first job of a queue comes alone.
    if (!mayBeStub && store.queues.find(first.job.queue) !== undefined) {
      // Jobs of one list share a row: it spans no more than a list has, and lists count on that.
      const most = Math.min(jobs.length, start + maxBatch)
      while (end < most && isAlike(jobs[end]!, first)) end++
    }
    if (end - start > 1) createAlike(store, jobs.slice(start, end), outcomes)
    else outcomes[first.index] = createPlainJob(store, first, mayBeStub)
  }
}

/** Whether two jobs differ in nothing but their ids, payloads and previews. */
function isAlike({ job, cold }: Placed, { job: first, cold: firstCold }: Placed): boolean {
  return (
    job.name === first.name &&
    job.queue === first.queue &&
    job.version === first.version &&
    job.priority === first.priority &&
    job.state.name === first.state.name &&
    job.by === first.by &&
    cold === firstCold &&
    (job.preview === undefined) === (first.preview === undefined) &&
    job.recurring === undefined &&
    (job.tags === undefined || job.tags.length === 0)
  )
}

/** They travel many in one statement, and have one row among the ready ones. */
function createAlike(store: Store, jobs: readonly Placed[], outcomes: CreateOutcome[]): void {
  const { job: first, cold } = jobs[0]!
  const queue = queueNamed(store, first.queue)
  const born = store.queues.takePlaces(jobs.length)
  const last = born + jobs.length - 1
  const shared: SharedByJobs = {
    queue: queue.n,
    name: store.words.number('job', first.name),
    version: first.version,
    priority: first.priority ?? defaultPriority,
    state: store.words.number('state', first.state.name),
    by: first.by ?? null,
    cold,
    now: store.now,
  }
  let stored = 0
  for (let start = 0; start < jobs.length; start += plainChunk) {
    const chunk = jobs.slice(start, start + plainChunk)
    stored += insertChunk(store, chunk, shared, born + start, outcomes)
  }
  if (stored === 0) return
  const kept = first.keep === undefined ? 0 : 1
  if (stored === jobs.length && isSpan(store, jobs)) {
    store.db.run(addReady, queue.n, shared.priority, born, born, last, first.id, store.now, shared.name, 0, kept)
  } else {
    store.db.run(addReadies, kept, born, last)
  }
  store.arrivals++
  store.queues.count(queue, 'ready', stored)
  store.tally.row(shared.name, queue.n, store.now).created += stored
  store.wakes.queue(queue.name)
}

/** Answers how many of them were not there yet. */
function insertChunk(
  store: Store,
  chunk: readonly Placed[],
  shared: SharedByJobs,
  seq: number,
  outcomes: CreateOutcome[],
): number {
  if (chunk.length === plainChunk && insertTogether(store, chunk, shared, seq)) {
    for (const { job, index } of chunk) {
      store.wakes.job(job.id)
      outcomes[index] = created
    }
    return chunk.length
  }
  let stored = 0
  for (const [at, { job, index }] of chunk.entries()) {
    const isNew = insertJob(store, job, shared, seq + at)
    outcomes[index] = isNew ? created : exists
    if (isNew) stored++
  }
  return stored
}

/** False when one of them is there already: then the others are taken back. */
function insertTogether(store: Store, chunk: readonly Placed[], shared: SharedByJobs, seq: number): boolean {
  const hasPreviews = chunk[0]!.job.preview !== undefined
  const rows: Bound[] = []
  for (const { job } of chunk) {
    rows.push(job.id, job.payload)
    if (hasPreviews) rows.push(job.preview!)
  }
  if (store.db.runRows(hasPreviews ? addPreviewedJobs : addJobs, rows, { ...shared, seq }) === chunk.length) return true
  store.db.run(dropPlaces, seq, seq + chunk.length - 1)
  return false
}

function insertJob(store: Store, job: NewJob, shared: SharedByJobs, seq: number): boolean {
  const { queue, name, version, priority, state, by, cold, now } = shared
  const row = [job.id, queue, name, version, priority, seq, now, state, by, cold] as const
  if (store.db.run(addJob, ...row, job.preview ?? null, job.payload) === 0) return false
  store.wakes.job(job.id)
  return true
}

/** A span lists its jobs in the order of their ids, and spans of one instant lie one behind the other. */
function isSpan(store: Store, jobs: readonly Placed[]): boolean {
  for (let next = 1; next < jobs.length; next++) if (jobs[next]!.job.id <= jobs[next - 1]!.job.id) return false
  const before = store.db.get(lastOfSpan, store.now, jobs.at(-1)!.job.id)
  return before === undefined || before.id < jobs[0]!.job.id
}

export function createPlainJob(store: Store, { job, cold }: Placed, mayBeStub: boolean): CreateOutcome {
  const { now } = store
  const { id, version, priority = defaultPriority, by = null } = job
  if (mayBeStub && store.db.get(hasStub, id, now) !== undefined) return exists
  // One that is there already makes no queue.
  if (store.queues.find(job.queue) === undefined && store.db.get(hasJob, id) !== undefined) return exists
  const queue = queueNamed(store, job.queue)
  const name = store.words.number('job', job.name)
  const state = store.words.number('state', job.state.name)
  const seq = store.queues.takePlaces()
  if (!insertJob(store, job, { queue: queue.n, name, version, priority, state, by, cold, now }, seq)) return exists
  store.db.run(addReady, queue.n, priority, seq, seq, seq, id, now, name, 0, job.keep === undefined ? 0 : 1)
  store.queues.count(queue, 'ready', 1)
  store.tally.row(name, queue.n, now).created++
  store.arrivals++
  store.wakes.queue(queue.name)
  rememberCreation(store, job)
  return created
}

export function isKnown(store: Store, id: JobId): boolean {
  return store.db.get(hasJob, id) !== undefined || store.db.get(hasStub, id, store.now) !== undefined
}

export function rememberCreation(store: Store, { id, tags, recurring }: NewJob): void {
  for (const tag of tags ?? []) store.db.run(addTag, tag, id)
  if (recurring !== undefined) addRun(store, recurring.id, id, recurring.at)
}

export const created: CreateOutcome = Object.freeze({ ok: 'created' })
export const exists: CreateOutcome = Object.freeze({ ok: 'exists' })
