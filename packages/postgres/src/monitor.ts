import {
  type Bucket,
  type Counts,
  type ErrorGroup,
  type MonitorRoom,
  type Phase,
  type QueueCounts,
  type Read,
  type SeriesQuery,
  type Standing,
  addHistograms,
  phases,
} from '@q/core/storage'
import { decodeRecord, uuidOrNull } from './codec.ts'
import { readCursor, writeCursor } from './cursor.ts'
import { uuidToId } from './id.ts'
import { countJobs, listJobs } from './list-jobs.ts'
import type { Names } from './names.ts'
import { storable, unpackPayload } from './payload.ts'
import { phaseOf } from './phases.ts'
import { type Look, look } from './reading.ts'
import { decodeRecurring } from './recurring.ts'
import type { Room } from './room.ts'
import {
  type BucketRow,
  type CountRow,
  type FailureRow,
  type StandingRow,
  allQueues,
  buckets,
  countsByQueue,
  endedTransactions,
  failures,
  foldAll,
  history,
  liveSessions,
  logLines,
  namesStartingWith,
  recurringPage,
  standingOf,
  views,
} from './statements/monitor.ts'
import { decodeParents, decodeQueue, decodeView, instant } from './views.ts'

export function createMonitorRoom({ connections, names, enter }: Room): MonitorRoom {
  const see = <T>(read: Read | undefined, body: (at: Look) => Promise<T>): Promise<T> =>
    enter(() => look(connections, read, body))
  /** For what is counted in tallies: those not yet added up are added first. */
  const seeCounted = <T>(read: Read | undefined, body: (at: Look) => Promise<T>): Promise<T> =>
    enter(async () => {
      read?.signal?.throwIfAborted()
      await connections.read(foldAll, [], 'reading')
      return look(connections, read, body)
    })

  return {
    get: (ids, read) =>
      see(read, async (at) => {
        const uuids = ids.map(uuidOrNull)
        const rows = await at.read(views, [uuids.filter((uuid) => uuid !== null)])
        await names.recall(
          rows.map(({ queue }) => queue),
          rows.map(({ name }) => name),
        )
        const found = new Map(rows.map((row) => [row.id.replaceAll('-', ''), row]))
        return uuids.map((uuid) => {
          const row = uuid === null ? undefined : found.get(uuid)
          return row === undefined ? null : decodeView(row, names)
        })
      }),

    history: (id, after = 0, read) =>
      see(read, async (at) => {
        const uuid = uuidOrNull(id)
        if (uuid === null) return []
        return (await at.read(history, [uuid, after])).map(({ record }) => decodeRecord(record)).toReversed()
      }),

    logs: (id, after = 0, read) =>
      see(read, async (at) => {
        const uuid = uuidOrNull(id)
        const rows = uuid === null ? [] : await at.read(logLines, [uuid, after])
        return {
          items: rows.map(({ n, at: writtenAt, attempt, text }) => {
            return { n, at: Number(writtenAt), attempt, text: unpackPayload(text) }
          }),
        }
      }),

    list: (query, page, read) => see(read, (at) => listJobs(at, names, connections.schemaName, query, page)),
    count: (query, max, read) => see(read, (at) => countJobs(at, names, connections.schemaName, query, max)),

    counts: (read) => seeCounted(read, async (at) => decodeCounts(await at.read(countsByQueue, []))),

    series: (query, read) =>
      seeCounted(read, async (at) => {
        const { by, key = null, from, to, step } = query
        const steps = { minute: [0], hour: [0, 1], day: [0, 1, 2] }[step]
        const size = stepMs[step]
        const rows = await at.read(buckets, [
          steps,
          Math.floor(from / size) * size,
          Math.ceil(to / size) * size,
          by === 'queue' ? key : null,
          by === 'name' ? key : null,
        ])
        await names.recall(
          rows.map(({ queue }) => queue),
          rows.map(({ name }) => name),
        )
        return mergeBuckets(rows, query, names)
      }),

    errors: ({ limit, cursor, fingerprint }, read) =>
      seeCounted(read, async (at) => {
        const mark = readCursor(cursor, 'errors', 2)
        const rows = await at.read(failures, [
          fingerprint === undefined ? null : storable(fingerprint),
          mark === undefined ? null : Number(mark[0]),
          mark === undefined ? null : String(mark[1]),
          limit + 1,
        ])
        const items = rows.slice(0, limit).map(decodeFailure)
        const last = items.at(-1)
        return rows.length > limit && last !== undefined
          ? { items, next: writeCursor('errors', [last.lastAt, last.fingerprint]) }
          : { items }
      }),

    standing: (id, read) =>
      see(read, async (at) => {
        const uuid = uuidOrNull(id)
        const [row] = uuid === null ? [] : await at.read(standingOf, [uuid])
        return row === undefined ? null : decodeStanding(row)
      }),

    sessions: (read) =>
      see(read, async (at) =>
        (await at.read(liveSessions, [])).map(({ info, seen_at: seenAt, opened_at: openedAt, ...session }) => {
          return { ...session, info: unpackPayload(info), seenAt: Number(seenAt), openedAt: Number(openedAt) }
        }),
      ),

    queues: (read) =>
      see(read, async (at) =>
        (await at.read(allQueues, [])).map((row) => {
          return { name: row.name, ...decodeQueue(row) }
        }),
      ),

    names: (kind, prefix, limit, read) =>
      see(read, async (at) =>
        (await at.read(namesStartingWith[kind], [storable(prefix), limit])).map(({ name }) => name),
      ),

    recurring: ({ limit, cursor, ids, owner }, read) =>
      see(read, async (at) => {
        const mark = readCursor(cursor, 'recurring', 1)
        const rows = await at.read(recurringPage, [
          mark === undefined ? null : String(mark[0]),
          ids?.map(storable) ?? null,
          owner === undefined ? null : storable(owner),
          limit + 1,
        ])
        const items = rows.slice(0, limit).map(decodeRecurring)
        const last = items.at(-1)
        return rows.length > limit && last !== undefined
          ? { items, next: writeCursor('recurring', [last.id]) }
          : { items }
      }),

    changes: (read) => see(read, async (at) => Number((await at.read(endedTransactions, []))[0]!.changes)),
  }
}

function decodeCounts(rows: readonly CountRow[]): Counts {
  const byPhase = Object.fromEntries(phases.map((phase) => [phase, 0])) as Record<Phase, number>
  const byQueue: Record<string, QueueCounts> = {}
  let retrying = 0
  for (const { name, d, retrying: retries, oldest } of rows) {
    for (const [index, phase] of phases.entries()) byPhase[phase] += Number(d[index])
    retrying += Number(retries)
    const sizes = { ready: Number(d[2]), active: Number(d[3]), scheduled: Number(d[1]) }
    byQueue[name] = oldest === null ? sizes : { ...sizes, oldestReadyAt: Number(oldest) }
  }
  return { at: rows.length === 0 ? 0 : Number(rows[0]!.now), exact: true, byPhase, retrying, byQueue }
}

const stepMs = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

type MutableBucket = { -readonly [Field in keyof Bucket]: Bucket[Field] }

function mergeBuckets(rows: readonly BucketRow[], { by, key, step }: SeriesQuery, names: Names): Bucket[] {
  const size = stepMs[step]
  const merged = new Map<string, MutableBucket>()
  for (const row of rows) {
    const at = Math.floor(Number(row.at) / size) * size
    const rowKey = by === 'all' ? 'all' : by === 'queue' ? names.queueOf(row.queue) : names.nameOf(row.name)
    if (key !== undefined && key !== rowKey) continue
    const runMs = row.runs.map(Number)
    const waitMs = row.waits.map(Number)
    const sum = merged.get(`${at} ${rowKey}`)
    if (sum === undefined) {
      const [created, ok, failed, retried] = [row.created, row.ok, row.bad, row.retried].map(Number) as [
        number,
        number,
        number,
        number,
      ]
      merged.set(`${at} ${rowKey}`, { at, key: rowKey, created, ok, failed, retried, runMs, waitMs })
      continue
    }
    sum.created += Number(row.created)
    sum.ok += Number(row.ok)
    sum.failed += Number(row.bad)
    sum.retried += Number(row.retried)
    sum.runMs = addHistograms(sum.runMs, runMs)
    sum.waitMs = addHistograms(sum.waitMs, waitMs)
  }
  return [...merged.values()].sort((a, b) => a.at - b.at || (a.key < b.key ? -1 : 1))
}

const trendHours = 24

function decodeFailure(row: FailureRow): ErrorGroup {
  const hours = new Map(row.hours ?? [])
  const thisHour = Math.floor(Number(row.now) / stepMs.hour)
  return {
    fingerprint: row.fingerprint,
    preview: row.preview,
    names: row.names,
    count: Number(row.count),
    firstAt: Number(row.first_at),
    lastAt: Number(row.last_at),
    trend: Array.from({ length: trendHours }, (_, i) => hours.get(thisHour - trendHours + 1 + i) ?? 0),
    sample: uuidToId(row.sample),
  }
}

/** What the server counts ahead of a job before it gives up. */
const mostAhead = 10_000

function decodeStanding(row: StandingRow): Standing {
  const now = Number(row.now)
  const holds = new Map((row.holds ?? []).map((hold) => [hold.key, hold]))
  return {
    phase: phaseOf(row.phase),
    gates: (row.gates ?? []).map(({ key, limit, rate }) => {
      const { used = 0, holders = [], full_at: fullAt } = holds.get(key) ?? {}
      const opensAt = rate === undefined ? undefined : tokenAt(rate, fullAt ?? 0, now)
      return {
        key,
        used,
        holders: holders.map(uuidToId),
        ...(limit === undefined ? {} : { limit }),
        ...(opensAt === undefined ? {} : { opensAt }),
      }
    }),
    parents: decodeParents(row.parents),
    queue: decodeQueue(row.config),
    ...(row.ahead === null ? {} : { ahead: { value: Math.min(row.ahead, mostAhead), exact: row.ahead <= mostAhead } }),
    ...(row.parked_for === null ? {} : { parkedFor: row.parked_for }),
    ...(row.due_at === null ? {} : { dueAt: instant(row.due_at)! }),
  }
}

/** When a bucket that is full again at `fullAt` has a token; undefined when it has one now. */
function tokenAt(
  { max, per }: { readonly max: number; readonly per: number },
  fullAt: number,
  now: number,
): number | undefined {
  const at = Math.ceil(fullAt - per + per / max)
  return at > now ? at : undefined
}
