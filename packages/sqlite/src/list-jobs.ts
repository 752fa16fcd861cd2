import type { JobId, JobQuery, JobSummary, Ms, Page, PageRequest, Phase } from '@q/core/storage'
import { isFinalPhase, isJobId, matchesQuery, phases } from '@q/core/storage'
import { maxBatch } from './capabilities.ts'
import { phaseNumber } from './codec.ts'
import type { Connection } from './connection.ts'
import { type Cursor, readCursor, writeCursor } from './cursor.ts'
import { type EntryKey, endOfWalk, narrowed, narrowing } from './narrow.ts'
import { statement } from './statement.ts'
import {
  type EntryKind,
  type EntrySource,
  type ViewRow,
  childIds,
  claimOrder,
  dueOrder,
  entrySource,
  heldIds,
  newest,
  oldest,
  sleepersOf,
  taggedIds,
} from './statements/views.ts'
import { type Seen, factsOf, look, open, summaryOf } from './views.ts'

/** A page looks at no more jobs than this; then it says how far it came. */
const mostScanned = 10_000
/** A count looks at so many times what it may come to: whoever wants to know more exactly waits longer, and his process with him. */
const [leastScanned, scannedPerCounted] = [5_000, 5]
/** So much of an index SQLite looks at in one statement. */
const stretch = 2000
/** What hangs together anyway is read as a whole up to here. */
const few = 2000
const chunkSize = 100

const queuesByName = statement<[], { n: number; name: string; scheduled: number }>(
  (t) => `select n, name, scheduled from ${t.queue} where n > 0 order by name`,
)
const countsByQueue = statement<[], Record<Phase, number> & { readonly name: string }>(
  (t) => `select name, ${phases.join(', ')} from ${t.queue}`,
)

type Order = NonNullable<PageRequest['order']>

export function listJobs(db: Connection, query: JobQuery, page: PageRequest): Page<JobSummary> {
  const order = page.order ?? 'newest'
  const cursor = readCursor(page.cursor, order)
  const items: JobSummary[] = []
  let scanned = 0
  let last: Step | undefined
  for (const step of candidates(db, query, order, cursor)) {
    if (items.length === page.limit || scanned >= mostScanned) {
      const next = writeCursor(order, cursorAt(last!))
      return scanned >= mostScanned ? { items, next, searched: { scanned, complete: false } } : { items, next }
    }
    scanned += step.cost
    last = step
    const { seen } = step
    if (seen !== undefined && matchesQuery(factsOf(seen), query)) items.push(summaryOf(seen))
  }
  return { items }
}

export function countJobs(db: Connection, query: JobQuery, max: number): { value: number; exact: boolean } {
  if (isCounted(query)) {
    const rows = db.all(countsByQueue).filter(({ name }) => query.queue?.includes(name) ?? true)
    const sum = (phase: Phase): number => rows.reduce((all, row) => all + row[phase], 0)
    const value = phasesOf(query).reduce((all, phase) => all + sum(phase), 0)
    return { value: Math.min(value, max), exact: value <= max }
  }
  let value = 0
  let scanned = 0
  for (const { seen, cost } of candidates(db, query, 'newest')) {
    if (scanned >= Math.max(leastScanned, max * scannedPerCounted)) return { value, exact: false }
    scanned += cost
    if (seen === undefined || !matchesQuery(factsOf(seen), query)) continue
    if (value === max) return { value, exact: false }
    value++
  }
  return { value, exact: true }
}

/** One step along a list: a job, or only how far it has come past jobs that are not meant. */
interface Step extends EntryKey {
  readonly seen?: Seen | undefined
  /** How many jobs were looked at for it. */
  readonly cost: number
}

function stepTo(seen: Seen, cost = 1): Step {
  return { at: seen.row.at, id: seen.row.id, seen, cost }
}

function cursorAt({ at, id, seen }: Step): Cursor {
  if (seen === undefined) return { id, at, queue: '', priority: 0, seq: 0, dueAt: 0, born: 0 }
  const { queue, priority, seq, born, due_at: dueAt } = seen.row
  return { id, at, queue, priority, seq, dueAt: dueAt ?? 0, born }
}

/** Every job that may match, in order, from the cursor on: along the narrowest index there is. */
function candidates(db: Connection, query: JobQuery, order: Order, cursor?: Cursor): Iterable<Step> {
  switch (order) {
    case 'newest':
    case 'oldest':
      return byEntry(db, query, order, cursor)
    case 'claim':
      return byClaim(db, query, cursor)
    case 'due':
      return query.phase?.includes('scheduled') === false ? [] : byDue(db, query, cursor)
    default:
      return order satisfies never
  }
}

function compareEntries(a: EntryKey, b: EntryKey): number {
  if (a.at !== b.at) return a.at - b.at
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

function byEntry(db: Connection, query: JobQuery, order: 'newest' | 'oldest', cursor?: Cursor): Iterable<Step> {
  const sign = order === 'newest' ? -1 : 1
  const ids = fewCandidates(db, query)
  if (ids !== undefined) {
    return ids
      .map((id) => look(db, id))
      .filter((seen) => seen !== undefined)
      .filter(({ row }) => cursor === undefined || sign * compareEntries(row, cursor) > 0)
      .map((seen) => stepTo(seen))
      .sort((a, b) => sign * compareEntries(a, b))
  }
  const start = later(sign, cursor ?? ends[order], startOf(query, order))
  const all = merged(streamsOf(db, query, order, start), (a, b) => sign * compareEntries(a, b))
  return until(all, ({ at }) =>
    order === 'newest'
      ? query.enteredAfter !== undefined && at < query.enteredAfter
      : query.enteredBefore !== undefined && at >= query.enteredBefore,
  )
}

const ends = {
  newest: { at: Number.MAX_SAFE_INTEGER, id: '' },
  oldest: { at: Number.MIN_SAFE_INTEGER, id: '' },
} as const

/** Jobs that something else already holds together. */
function fewCandidates(db: Connection, query: JobQuery): readonly JobId[] | undefined {
  const ids = (rows: readonly { readonly id: JobId }[]): readonly JobId[] => rows.map(({ id }) => id)
  if (query.session !== undefined) return ids(db.all(heldIds, query.session))
  if (query.parent !== undefined) return ids(db.all(childIds, query.parent))
  if (query.text !== undefined && isJobId(query.text)) return [query.text]
  if (query.tag === undefined) return undefined
  const tagged = new Set(query.tag.flatMap((tag) => ids(db.all(taggedIds, tag, few))))
  return tagged.size < few ? [...tagged] : undefined
}

/** Plain jobs and rare ones of each phase, or those with an error in common. */
function streamsOf(
  db: Connection,
  query: JobQuery,
  order: 'newest' | 'oldest',
  start: EntryKey,
): Generator<Step, undefined>[] {
  const from = order === 'newest' ? newest : oldest
  const { error } = query
  if (error !== undefined) {
    return [
      stream(start, (at, id) => db.all(from.doneByError, error, at, id, chunkSize)),
      stream(start, (at, id) => db.all(from.rareByError, error, at, id, chunkSize)),
    ]
  }
  return phasesOf(query).flatMap((phase) => {
    const number = phaseNumber(phase)
    return kindsOf(phase).map((kind) => {
      const source = entrySource(db.tables, kind, number, order === 'newest')
      const conditions = narrowing(query, db.tables, source)
      if (conditions.length > 0) return narrowStream(db, source, start, conditions)
      return kind === 'rare' || kind === 'done'
        ? stream(start, (at, id) => db.all(from[kind], number, at, id, chunkSize))
        : stream(start, (at, id) => db.all(from[kind], at, id, chunkSize))
    })
  })
}

/** In which rows the jobs of a phase stand. */
function kindsOf(phase: Phase): readonly EntryKind[] {
  if (phase === 'ready') return ['rare', 'ready', 'span']
  if (phase === 'active') return ['rare', 'active']
  return isFinalPhase(phase) ? ['rare', 'done'] : ['rare']
}

function* stream(start: EntryKey, read: (at: Ms, id: JobId) => readonly ViewRow[]): Generator<Step, undefined> {
  for (let { at, id } = start; ;) {
    const rows = read(at, id)
    for (const row of rows) yield stepTo(open(row))
    if (rows.length < chunkSize) return undefined
    ;({ at, id } = rows.at(-1)!)
  }
}

/** The same for a query that leaves most jobs out: SQLite leaves them out, a stretch of the index at a time. */
function* narrowStream(
  db: Connection,
  source: EntrySource,
  start: EntryKey,
  conditions: ReturnType<typeof narrowing>,
): Generator<Step, undefined> {
  for (let from = start; ;) {
    const to = endOfWalk(db, source, from, stretch)
    for (const row of narrowed(db, source, from, to, conditions)) yield stepTo(open(row), 0)
    if (to === undefined) return undefined
    yield { ...to, cost: stretch }
    from = to
  }
}

/** Just outside the span of time that is asked for: no id is empty. */
function startOf(query: JobQuery, order: 'newest' | 'oldest'): EntryKey | undefined {
  const at = order === 'newest' ? query.enteredBefore : query.enteredAfter
  return at === undefined ? undefined : { at, id: '' }
}

function later(sign: number, a: EntryKey, b: EntryKey | undefined): EntryKey {
  return b !== undefined && sign * compareEntries(b, a) > 0 ? b : a
}

interface Placed {
  readonly id: JobId
  readonly priority: number
  readonly seq: number
}

function* byClaim(db: Connection, query: JobQuery, cursor?: Cursor): Generator<Step, undefined> {
  const all = db.all(queuesByName)
  const names = query.queue ?? all.map(({ name }) => name)
  const from = cursor === undefined ? 0 : Math.max(0, names.indexOf(cursor.queue))
  for (const [index, name] of names.slice(from).entries()) {
    const queue = all.find((candidate) => candidate.name === name)
    if (queue === undefined) continue
    const after = index === 0 && cursor?.queue === name ? cursor : { priority: -1, seq: -1 }
    const lines = [
      places(after, ({ priority, seq }) =>
        db.all(claimOrder, queue.n, priority, seq - maxBatch, priority, seq, chunkSize),
      ),
      places(after, ({ priority, seq }) => db.all(sleepersOf, queue.n, priority, seq, chunkSize)),
    ]
    for (const { id } of merged(lines, (a, b) => a.priority - b.priority || a.seq - b.seq)) yield stepTo(look(db, id)!)
  }
  return undefined
}

function* places<T>(after: T, read: (after: T) => readonly (Placed & T)[]): Generator<Placed, undefined> {
  for (let last = after; ;) {
    const rows = read(last)
    yield* rows
    if (rows.length < chunkSize) return undefined
    last = rows.at(-1)!
  }
}

interface Due {
  readonly id: JobId
  readonly at: Ms
  readonly born: number
}

function* byDue(db: Connection, query: JobQuery, cursor?: Cursor): Generator<Step, undefined> {
  const queues = db
    .all(queuesByName)
    .filter(({ name, scheduled }) => scheduled > 0 && (query.queue?.includes(name) ?? true))
  const start = { at: cursor?.dueAt ?? Number.MIN_SAFE_INTEGER, born: cursor?.born ?? -1 }
  const lines = queues.map(({ n }) => dues(start, ({ at, born }) => db.all(dueOrder, n, at, born, chunkSize)))
  for (const { id } of merged(lines, (a, b) => a.at - b.at || a.born - b.born)) yield stepTo(look(db, id)!)
  return undefined
}

function* dues(start: Omit<Due, 'id'>, read: (after: Omit<Due, 'id'>) => readonly Due[]): Generator<Due, undefined> {
  for (let last = start; ;) {
    const rows = read(last)
    yield* rows
    if (rows.length < chunkSize) return undefined
    last = rows.at(-1)!
  }
}

function phasesOf(query: JobQuery): readonly Phase[] {
  return query.phase === undefined ? phases : [...new Set(query.phase)]
}

/** Counters know queues and phases. */
function isCounted(query: JobQuery): boolean {
  return Object.entries(query).every(([field, value]) => field === 'phase' || field === 'queue' || value === undefined)
}

function* merged<T>(
  streams: readonly Generator<T, undefined>[],
  compare: (a: T, b: T) => number,
): Generator<T, undefined> {
  const heads = streams.map((one) => one.next())
  for (;;) {
    let best = -1
    for (const [index, head] of heads.entries()) {
      if (head.done === true) continue
      const leader = best < 0 ? undefined : heads[best]
      if (leader === undefined || leader.done === true || compare(head.value, leader.value) < 0) best = index
    }
    const head = heads[best]
    if (head === undefined || head.done === true) return undefined
    yield head.value
    heads[best] = streams[best]!.next()
  }
}

function* until<T>(items: Iterable<T>, isBeyond: (item: T) => boolean): Generator<T, undefined> {
  for (const item of items) {
    if (isBeyond(item)) return undefined
    yield item
  }
  return undefined
}
