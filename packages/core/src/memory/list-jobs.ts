import type { Phase } from '../storage/job.ts'
import { phases } from '../storage/job.ts'
import type { JobQuery, JobSummary, Page, PageRequest } from '../storage/monitor.ts'
import { matchesQuery } from '../storage/matches-query.ts'
import { type Cursor, readCursor, writeCursor } from './cursor.ts'
import { type StoredJob, comparePlaces } from './job.ts'
import { JobFacts } from './job-facts.ts'
import { type EntryKey, compareEntries } from './phase-index.ts'
import type { Store } from './store.ts'
import { summaryOf } from './views.ts'

/** A page looks at no more jobs than this; then it says how far it came. */
const mostScanned = 100_000

export function listJobs(store: Store, query: JobQuery, page: PageRequest): Page<JobSummary> {
  const order = page.order ?? 'newest'
  const cursor = readCursor(page.cursor, order)
  if (page.limit <= 0) return { items: [] }
  const items: JobSummary[] = []
  let scanned = 0
  let last: StoredJob | undefined
  for (const job of candidates(store, query, order, cursor)) {
    if (items.length === page.limit || scanned === mostScanned) {
      const next = writeCursor(order, last!)
      return scanned === mostScanned ? { items, next, searched: { scanned, complete: false } } : { items, next }
    }
    scanned++
    last = job
    if (matchesQuery(new JobFacts(job), query)) items.push(summaryOf(job))
  }
  return { items }
}

export function countJobs(store: Store, query: JobQuery, max: number): { value: number; exact: boolean } {
  if (isOnlyPhases(query)) {
    const value = phasesOf(query).reduce((sum, phase) => sum + store.phases[phase].size, 0)
    return { value: Math.min(value, max), exact: value <= max }
  }
  let value = 0
  let scanned = 0
  for (const job of candidates(store, query, 'newest')) {
    if (scanned++ === mostScanned) return { value, exact: false }
    if (!matchesQuery(new JobFacts(job), query)) continue
    if (value === max) return { value, exact: false }
    value++
  }
  return { value, exact: true }
}

type Order = NonNullable<PageRequest['order']>

/** Every job that may match, in order, from the cursor on: by the narrowest index there is. */
function candidates(store: Store, query: JobQuery, order: Order, cursor?: Cursor): Iterable<StoredJob> {
  switch (order) {
    case 'newest':
    case 'oldest':
      return byEntry(store, query, order, cursor)
    case 'claim':
      return byClaim(store, query, cursor)
    case 'due':
      return query.phase?.includes('scheduled') === false ? [] : store.due.after(cursor)
    default:
      return order satisfies never
  }
}

function byEntry(store: Store, query: JobQuery, order: 'newest' | 'oldest', cursor?: Cursor): Iterable<StoredJob> {
  const sign = order === 'newest' ? -1 : 1
  const few = fewCandidates(store, query)
  if (few !== undefined) {
    return [...few]
      .filter((job) => cursor === undefined || sign * compareEntries(job, cursor) > 0)
      .sort((a, b) => sign * compareEntries(a, b))
  }
  const start = later(sign, cursor, startOf(query, order))
  const streams = phasesOf(query).map((phase) => store.phases[phase][order](start))
  return until(
    merged(streams, (a, b) => sign * compareEntries(a, b)),
    (job) =>
      order === 'newest'
        ? query.enteredAfter !== undefined && job.enteredAt < query.enteredAfter
        : query.enteredBefore !== undefined && job.enteredAt >= query.enteredBefore,
  )
}

/** Jobs that something else already holds together. */
function fewCandidates(store: Store, query: JobQuery): Iterable<StoredJob> | undefined {
  if (query.session !== undefined) return store.sessions.get(query.session)?.held ?? []
  if (query.parent !== undefined) return store.jobs.get(query.parent)?.rare?.family?.children ?? []
  return undefined
}

/** Just outside the span of time that is asked for: no id is empty. */
function startOf(query: JobQuery, order: 'newest' | 'oldest'): EntryKey | undefined {
  const at = order === 'newest' ? query.enteredBefore : query.enteredAfter
  return at === undefined ? undefined : { enteredAt: at, id: '' }
}

function later(sign: number, a: EntryKey | undefined, b: EntryKey | undefined): EntryKey | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return sign * compareEntries(a, b) > 0 ? a : b
}

function* byClaim(store: Store, query: JobQuery, cursor?: Cursor): Generator<StoredJob, undefined> {
  const names = query.queue ?? [...store.queues.keys()].sort()
  const from = cursor === undefined ? 0 : Math.max(0, names.indexOf(cursor.queue))
  for (const [index, name] of names.slice(from).entries()) {
    const queue = store.queues.get(name)
    if (queue === undefined) continue
    const after = index === 0 && cursor?.queue === name ? cursor : undefined
    yield* merged([queue.ready.after(after), queue.aside.after(after)], comparePlaces)
  }
  return undefined
}

function phasesOf(query: JobQuery): readonly Phase[] {
  return query.phase === undefined ? phases : [...new Set(query.phase)]
}

function isOnlyPhases(query: JobQuery): boolean {
  return Object.entries(query).every(([field, value]) => field === 'phase' || value === undefined)
}

function* merged(
  streams: readonly Generator<StoredJob, undefined>[],
  compare: (a: StoredJob, b: StoredJob) => number,
): Generator<StoredJob, undefined> {
  const heads = streams.flatMap((stream) => {
    const { value } = stream.next()
    return value === undefined ? [] : [{ stream, value }]
  })
  while (heads.length > 1) {
    let best = 0
    for (let i = 1; i < heads.length; i++) if (compare(heads[i]!.value, heads[best]!.value) < 0) best = i
    const head = heads[best]!
    yield head.value
    const { value } = head.stream.next()
    if (value === undefined) heads.splice(best, 1)
    else head.value = value
  }
  for (const { stream, value } of heads) {
    yield value
    yield* stream
  }
  return undefined
}

function* until<T>(items: Iterable<T>, isBeyond: (item: T) => boolean): Generator<T, undefined> {
  for (const item of items) {
    if (isBeyond(item)) return undefined
    yield item
  }
  return undefined
}
