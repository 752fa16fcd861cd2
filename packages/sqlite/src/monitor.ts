import type {
  Bucket,
  Counts,
  MonitorRoom,
  Payload,
  Phase,
  QueueConfig,
  QueueCounts,
  SeriesQuery,
  SessionView,
  Standing,
} from '@q/core/storage'
import { addHistograms, histogramSize, phases } from '@q/core/storage'
import { readPayload } from './codec.ts'
import type { Connection } from './connection.ts'
import { readMark, unreadable, writeMark } from './cursor.ts'
import type { Engine } from './engine.ts'
import { type FaultRow, trendOf } from './faults.ts'
import { roomAt } from './gates.ts'
import { countJobs, listJobs } from './list-jobs.ts'
import { nextTokenAt } from '@q/core/storage'
import { type ScheduleRow, openSchedule } from './recurring.ts'
import { statement } from './statement.ts'
import { readClock } from './storage-time.ts'
import { type Histogram, type StoredBucket, stepSizes } from './tally.ts'
import { type Seen, historyOf, look, parentsOf, viewOf } from './views.ts'

interface QueueRow extends Record<Phase, number> {
  readonly n: number
  readonly name: string
  readonly retrying: number
  readonly config: string | null
}

const logLines = statement<[string, number], { n: number; at: number; attempt: number; text: Payload }>(
  (t) => `select n, at, attempt, text from ${t.log} where id = ? and n > ? order by n`,
)
const queueRows = statement<[], QueueRow>((t) => `select * from ${t.queue} where n > 0 order by name`)
const queueRow = statement<[string], QueueRow>((t) => `select * from ${t.queue} where name = ?`)
/** The head of a queue stands among the ready ones, or sleeps at one of its gates. */
const headOf = statement<[number, number], { at: number }>(
  (t) => `select coalesce(m.ready_at, h.at) as at from (
    select * from (select id, at, priority, seq from ${t.ready} where queue = ? order by priority, seq limit 1)
    union all
    select s.id, 0, s.priority, s.seq from ${t.line} l join ${t.sleeper} s on s.gate = l.gate and s.queue = l.queue
    where l.queue = ?) h left join ${t.more} m on m.id = h.id order by h.priority, h.seq limit 1`,
)
const bucketsBetween = statement<[number, number, number], StoredBucket>(
  (t) => `select * from ${t.bucket} where step = ? and at >= ? and at < ? order by at`,
)
const wordText = statement<[number], { text: string }>((t) => `select text from ${t.word} where n = ?`)
const queueName = statement<[number], { name: string }>((t) => `select name from ${t.queue} where n = ?`)
const latestFaults = statement<[number, string, number], FaultRow>(
  (t) =>
    `select * from ${t.fault} where (last_at, fingerprint) < (?, ?) order by last_at desc, fingerprint desc limit ?`,
)
const oneFault = statement<[string], FaultRow>((t) => `select * from ${t.fault} where fingerprint = ?`)
const liveSessions = statement<
  [],
  { n: number; id: string; server: string; ttl: number; info: Payload; opened: number; seen: number; held: number }
>(
  (t) => `select n, id, server, ttl, info, opened, seen,
    (select count(*) from ${t.lease} l where l.session = s.n) as held
    from ${t.session} s where until is null order by n`,
)
const gateRow = statement<[string], { used: number; full_at: number }>(
  (t) => `select used, full_at from ${t.gate} where key = ?`,
)
const holders = statement<[string, number], { id: string }>((t) => `select id from ${t.hold} where key = ? limit ?`)
/** Of the row it stands in itself, those before it. */
const aheadReady = statement<[number, number, number, number, number, number], { n: number }>(
  (t) => `select coalesce(sum(n), 0) as n from (
    select min(last - born + 1, iif(priority = ?, ? - seq, last - born + 1)) as n
    from ${t.ready} where queue = ? and (priority, seq) < (?, ?) limit ?)`,
)
const aheadAsleep = statement<[number, number, number, number], { n: number }>(
  (
    t,
  ) => `select count(*) as n from (select 1 from ${t.line} l join ${t.sleeper} s on s.gate = l.gate and s.queue = l.queue
    where l.queue = ? and (s.priority, s.seq) < (?, ?) limit ?)`,
)
const parkedForOf = statement<[string], { parked_for: string | null }>(
  (t) => `select parked_for from ${t.more} where id = ?`,
)

const jobNames = statement<[string, string, number], { name: string }>(
  (t) => `select text as name from ${t.word} where kind = 'job' and text >= ? and text < ? order by text limit ?`,
)
const queueNames = statement<[string, string, number], { name: string }>(
  (t) => `select name from ${t.queue} where n > 0 and name >= ? and name < ? order by name limit ?`,
)
/** From tag to tag by the index, however many jobs have each. */
const nextTag = statement<[string, string], { name: string }>(
  (t) => `select tag as name from ${t.tag} where tag > ? and tag < ? order by tag limit 1`,
)
const firstTag = statement<[string, string], { name: string }>(
  (t) => `select tag as name from ${t.tag} where tag >= ? and tag < ? order by tag limit 1`,
)
const schedulesAfter = statement<[string, number], ScheduleRow>(
  (t) => `select * from ${t.schedule} where record is not null and id > ? order by id limit ?`,
)
const oneSchedule = statement<[string], ScheduleRow>(
  (t) => `select * from ${t.schedule} where id = ? and record is not null`,
)
const readDataVersion = statement<[], { data_version: number }>(() => 'pragma data_version')

const mostAhead = 10_000
const namedHolders = 10

export function createMonitorRoom(engine: Engine): MonitorRoom {
  return {
    get: (ids, read) =>
      engine.read(read, (db) =>
        ids.map((id) => {
          const seen = look(db, id)
          return seen === undefined ? null : viewOf(db, seen)
        }),
      ),
    history: (id, after = 0, read) =>
      engine.read(read, (db) => {
        const seen = look(db, id)
        return seen === undefined ? [] : historyOf(db, seen, after)
      }),
    logs: (id, after = 0, read) =>
      engine.read(read, (db) => ({
        items: db.all(logLines, id, after).map((line) => ({ ...line, text: readPayload(line.text) })),
      })),
    list: (query, page, read) => engine.read(read, (db) => listJobs(db, query, page)),
    count: (query, max, read) => engine.read(read, (db) => countJobs(db, query, max)),
    counts: (read) => engine.read(read, (db) => countsOf(db, readClock(db))),
    series: (query, read) => engine.read(read, (db) => seriesOf(db, query)),
    errors: ({ limit, cursor, fingerprint }, read) =>
      engine.read(read, (db) => {
        const now = readClock(db)
        if (fingerprint !== undefined) {
          const row = db.get(oneFault, fingerprint)
          return { items: row === undefined ? [] : [errorGroup(row, now)] }
        }
        const [at = Number.MAX_SAFE_INTEGER, after = ''] = readMark(cursor) ?? []
        if (typeof at !== 'number' || typeof after !== 'string') throw unreadable(cursor!)
        const rows = db.all(latestFaults, at, after, limit + 1)
        const items = rows.slice(0, limit).map((row) => errorGroup(row, now))
        const last = rows[limit - 1]
        return rows.length > limit && last !== undefined
          ? { items, next: writeMark(last.last_at, last.fingerprint) }
          : { items }
      }),
    standing: (id, read) =>
      engine.read(read, (db) => {
        const seen = look(db, id)
        return seen === undefined ? null : standingOf(db, seen, readClock(db))
      }),
    sessions: (read) =>
      engine.read(read, (db) =>
        db.all(liveSessions).map(({ id, server, ttl, info, opened, seen, held }): SessionView => {
          return { id, server, ttl, info: readPayload(info), openedAt: opened, seenAt: seen, held }
        }),
      ),
    queues: (read) =>
      engine.read(read, (db) => db.all(queueRows).map(({ name, config }) => ({ name, ...openConfig(config) }))),
    names: (kind, prefix, limit, read) => engine.read(read, (db) => namesOf(db, kind, prefix, limit)),
    recurring: ({ limit, cursor, ids, owner }, read) =>
      engine.read(read, (db) => {
        const [after = ''] = readMark(cursor) ?? []
        if (typeof after !== 'string') throw unreadable(cursor!)
        const wanted = ids === undefined ? schedules(db, after) : chosenSchedules(db, ids, after)
        const items = []
        for (const row of wanted) {
          if (owner !== undefined && row.owner !== owner) continue
          if (items.length === limit) return { items, next: writeMark(items.at(-1)?.id ?? after) }
          items.push(openSchedule(row))
        }
        return { items }
      }),
    changes: (read) => engine.read(read, (db) => db.get(readDataVersion)!.data_version + engine.writes),
  }
}

function countsOf(db: Connection, at: number): Counts {
  const rows = db.all(queueRows)
  const byPhase = Object.fromEntries(phases.map((phase) => [phase, rows.reduce((sum, row) => sum + row[phase], 0)]))
  return {
    at,
    exact: true,
    byPhase: byPhase as Record<Phase, number>,
    retrying: rows.reduce((sum, { retrying }) => sum + retrying, 0),
    byQueue: Object.fromEntries(rows.map((row) => [row.name, queueCounts(db, row)])),
  }
}

function queueCounts(db: Connection, { n, ready, active, scheduled }: QueueRow): QueueCounts {
  const sizes = { ready, active, scheduled }
  const head = ready === 0 ? undefined : db.get(headOf, n, n)
  return head === undefined ? sizes : { ...sizes, oldestReadyAt: head.at }
}

const stepsOf = { minute: 0, hour: 1, day: 2 } as const

/** Every event stands in one row; coarser steps are summed from the finer ones that are still there. */
function seriesOf(db: Connection, { by, key, from, to, step }: SeriesQuery): Bucket[] {
  const size = stepSizes[stepsOf[step]]!
  const [start, end] = [from - (((from % size) + size) % size), Math.ceil(to / size) * size]
  const sums = new Map<string, Bucket>()
  for (let fine = 0; fine <= stepsOf[step]; fine++) {
    for (const row of db.all(bucketsBetween, fine, start, end)) {
      const at = row.at - (row.at % size)
      if (at + size <= from || at >= to) continue
      const rowKey =
        by === 'all' ? 'all' : by === 'name' ? db.get(wordText, row.name)!.text : db.get(queueName, row.queue)!.name
      if (key !== undefined && key !== rowKey) continue
      const sum = sums.get(`${at} ${rowKey}`) ?? {
        at,
        key: rowKey,
        created: 0,
        ok: 0,
        failed: 0,
        retried: 0,
        runMs: [],
        waitMs: [],
      }
      sums.set(`${at} ${rowKey}`, {
        at,
        key: rowKey,
        created: sum.created + row.created,
        ok: sum.ok + row.ok,
        failed: sum.failed + row.failed,
        retried: sum.retried + row.retried,
        runMs: addHistograms(sum.runMs, dense(row.run)),
        waitMs: addHistograms(sum.waitMs, dense(row.wait)),
      })
    }
  }
  return [...sums.values()].sort((a, b) => a.at - b.at || (a.key < b.key ? -1 : 1))
}

function dense(text: string): number[] {
  const sparse = JSON.parse(text) as Histogram
  return Array.from({ length: histogramSize }, (_, index) => sparse[index] ?? 0)
}

function errorGroup(
  { fingerprint, preview, names, count, first_at, last_at, hours, sample }: FaultRow,
  now: number,
): {
  fingerprint: string
  preview: string
  names: string[]
  count: number
  firstAt: number
  lastAt: number
  trend: number[]
  sample: string
} {
  const times = { firstAt: first_at, lastAt: last_at, trend: trendOf(hours, now) }
  return { fingerprint, preview, names: JSON.parse(names) as string[], count, ...times, sample }
}

function standingOf(db: Connection, seen: Seen, now: number): Standing {
  const { row, phase } = seen
  const queue = db.get(queueRow, row.queue)!
  const parkedFor = phase === 'parked' ? db.get(parkedForOf, row.id)?.parked_for : null
  return {
    phase,
    gates: gatesOf(db, seen, now),
    parents: parentsOf(db, seen),
    queue: openConfig(queue.config),
    ...(phase === 'ready' ? { ahead: aheadOf(db, seen, queue.n) } : {}),
    ...(parkedFor == null ? {} : { parkedFor }),
    ...(row.due_at === null ? {} : { dueAt: row.due_at }),
  }
}

function aheadOf(db: Connection, { row }: Seen, queue: number): { value: number; exact: boolean } {
  const { priority, seq } = row
  const place = [queue, priority, seq, mostAhead + 1] as const
  const value = db.get(aheadReady, priority, seq, ...place)!.n + db.get(aheadAsleep, ...place)!.n
  return { value: Math.min(value, mostAhead), exact: value <= mostAhead }
}

function gatesOf(db: Connection, { rest }: Seen, now: number): Standing['gates'] {
  return (rest.gates ?? []).map((gate) => {
    const row = db.get(gateRow, gate.key)
    const state = { used: row?.used ?? 0, fullAt: row?.full_at ?? 0 }
    const waitsForToken = gate.rate !== undefined && roomAt(state, { key: gate.key, rate: gate.rate }, now) === 0
    return {
      key: gate.key,
      used: state.used,
      holders: db.all(holders, gate.key, namedHolders).map(({ id }) => id),
      ...(gate.limit === undefined ? {} : { limit: gate.limit }),
      ...(waitsForToken ? { opensAt: nextTokenAt(gate.rate, state.fullAt, now) } : {}),
    }
  })
}

function openConfig(config: string | null): QueueConfig {
  return config === null ? {} : (JSON.parse(config) as QueueConfig)
}

function namesOf(db: Connection, kind: 'job' | 'queue' | 'tag', prefix: string, limit: number): string[] {
  const beyond = `${prefix}\u{10ffff}`
  switch (kind) {
    case 'job':
      return db.all(jobNames, prefix, beyond, limit).map(({ name }) => name)
    case 'queue':
      return db.all(queueNames, prefix, beyond, limit).map(({ name }) => name)
    case 'tag': {
      const tags: string[] = []
      let next = db.get(firstTag, prefix, beyond)
      for (; next !== undefined && tags.length < limit; next = db.get(nextTag, next.name, beyond)) tags.push(next.name)
      return tags
    }
    default:
      return kind satisfies never
  }
}

const chunkSize = 100

function* schedules(db: Connection, after: string): Generator<ScheduleRow, undefined> {
  for (let last = after; ;) {
    const rows = db.all(schedulesAfter, last, chunkSize)
    yield* rows
    if (rows.length < chunkSize) return undefined
    last = rows.at(-1)!.id
  }
}

function chosenSchedules(db: Connection, ids: readonly string[], after: string): readonly ScheduleRow[] {
  const wanted = [...new Set(ids)].sort().filter((id) => id > after)
  return wanted.map((id) => db.get(oneSchedule, id)).filter((row) => row !== undefined)
}
