import { QError, phases } from '@q/core/storage'
import { listOf, mapOf, numberOf, textOf, textsOf } from './codec/answer.ts'
import { phaseOf } from './codec/layout.ts'
import { historyOf, readRecord, viewOf } from './codec/record.ts'
import { payloadOf, unkinded } from './codec/state.ts'
import { readCursor, writeCursor } from './cursor.ts'
import { countJobs, listJobs } from './list-jobs.ts'
import { unpack } from './msgpack.ts'
import { readConfig } from './queue-config.ts'
import { readRecurring } from './recurring.ts'
import { readCounts, readErrors, readSessions, readStanding, viewJobs } from './scripts/monitor.ts'
import { series } from './series.ts'
import type {
  Counts,
  ErrorGroup,
  JobView,
  LogLine,
  MonitorRoom,
  Phase,
  QueueCounts,
  Read,
  RecurringRecord,
} from '@q/core/storage'
import type { Database } from './database.ts'
import type { JobRecord } from './codec/record.ts'
import type { Unpacked } from './msgpack.ts'

const hourMs = 3_600_000
const trendHours = 24

export function createMonitor(db: Database): MonitorRoom {
  const { keys } = db
  return {
    async get(ids, read) {
      if (ids.length === 0) return []
      const views = (await within(read, () => db.look(viewJobs, { ids }))) as unknown[]
      return views.map((view, index) => jobViewOf(ids[index]!, view))
    },

    async history(id, after = 0, read) {
      const record = await within(read, () => recordOf(db, id))
      return record === null ? [] : historyOf(record).filter(({ n }) => n > after)
    },

    async logs(id, after = 0, read) {
      const record = await within(read, () => recordOf(db, id))
      if (record === null || !record.isNoted) return { items: [] }
      const lines = (await within(read, () => db.read('LRANGE', keys.of('log', id), 0, -1))) as Buffer[]
      return { items: lines.map(logLineOf).filter(({ n }) => n > after) }
    },

    list: (query, page, read) => within(read, () => listJobs(db, query, page)),
    count: (query, max, read) => within(read, () => countJobs(db, query, max)),

    async counts(read) {
      const [now, fields, heads, names] = (await within(read, () => db.look(readCounts, { heads: true }))) as [
        Buffer,
        Buffer[],
        Buffer[],
        Buffer[],
      ]
      return countsOf(Number(now.toString()), fields, heads, names)
    },

    series: (query, read) => within(read, () => series(db, query)),

    async errors({ limit, cursor, fingerprint }, read) {
      const after = readCursor(cursor, 'errors', ['number', 'string'])
      const [now, ...groups] = (await within(read, () =>
        db.look(readErrors, {
          fingerprint,
          at: after?.[0] as number | undefined,
          before: after?.[1] as string | undefined,
          count: limit + 1,
        }),
      )) as Buffer[]
      const items: ErrorGroup[] = []
      for (let i = 0; i < groups.length; i += 2) {
        const group = errorGroupOf(groups[i]!.toString(), groups[i + 1] as unknown as Buffer[], Number(now!.toString()))
        if (group !== null) items.push(group)
      }
      if (items.length <= limit || limit === 0) return { items }
      const shown = items.slice(0, limit)
      const last = shown.at(-1)!
      return { items: shown, next: writeCursor('errors', [last.lastAt, last.fingerprint]) }
    },

    async standing(id, read) {
      const answer = await within(read, () => db.look(readStanding, { id }))
      if (answer === null) return null
      const [bytes, packed, config] = answer as unknown as [Buffer, Buffer, Buffer]
      const record = readRecord(id, bytes)
      const facts = mapOf(unpack(packed))
      const ahead = numberOf(facts.get('ahead'))
      const parkedFor = record.phase === 'parked' ? record.extra.get('parkedFor') : undefined
      const dueAt = record.phase === 'scheduled' ? numberOf(record.extra.get('due')) : undefined
      return {
        phase: record.phase,
        gates: listOf(facts.get('gates')).map((item) => {
          const [key, limit, used, holders, opensAt] = listOf(item)
          return {
            key: textOf(key),
            used: numberOf(used)!,
            holders: textsOf(holders),
            ...(typeof limit === 'number' ? { limit } : {}),
            ...(typeof opensAt === 'number' ? { opensAt } : {}),
          }
        }),
        parents: parentsOf(facts.get('parents')),
        queue: readConfig(config.length === 0 ? null : config),
        ...(ahead === undefined ? {} : { ahead: { value: ahead, exact: facts.get('exact') === true } }),
        ...(parkedFor === undefined ? {} : { parkedFor: textOf(parkedFor) }),
        ...(dueAt === undefined ? {} : { dueAt }),
      }
    },

    async sessions(read) {
      const rows = (await within(read, () => db.look(readSessions, {}))) as unknown as Buffer[][]
      return rows.map(([id, server, ttl, info, opened, seen, held]) => ({
        id: id!.toString(),
        server: server!.toString(),
        ttl: Number(ttl!.toString()),
        info: unkinded(info!),
        openedAt: Number(opened!.toString()),
        seenAt: Number(seen!.toString()),
        held: Number(held),
      }))
    },

    async queues(read) {
      const names = (await within(read, () => allNames(db, 'queue'))).sort()
      if (names.length === 0) return []
      const configs = (await within(read, () =>
        db.read('HMGET', keys.of('queues'), ...names.map((name) => `c${name}`)),
      )) as (Buffer | null)[]
      return names.map((name, index) => ({ name, ...readConfig(configs[index] ?? null) }))
    },

    async names(kind, prefix, limit, read) {
      const names = await within(read, () => allNames(db, kind))
      return names
        .filter((name) => name.startsWith(prefix))
        .sort()
        .slice(0, limit)
    },

    async recurring({ limit, cursor, ids, owner }, read) {
      const after = readCursor(cursor, 'recurring', ['string'])?.[0] as string | undefined
      const items: RecurringRecord[] = []
      let from = after
      const wanted = ids && [...ids].sort().filter((id) => after === undefined || id > after)
      for (;;) {
        const page = wanted
          ? wanted.splice(0, 500)
          : textsOfAnswer(
              await within(read, () =>
                db.read(
                  'ZRANGEBYLEX',
                  keys.of('recurringIds'),
                  from === undefined ? '-' : `(${from}`,
                  '+',
                  'LIMIT',
                  0,
                  500,
                ),
              ),
            )
        if (page.length === 0) return { items }
        const found = (await within(read, () => db.read('HMGET', keys.of('recurring'), ...page))) as (Buffer | null)[]
        for (const bytes of found) {
          if (bytes === null) continue
          const record = readRecurring(bytes)
          if (owner !== undefined && record.owner !== owner) continue
          if (items.length === limit) {
            return limit === 0 ? { items } : { items, next: writeCursor('recurring', [items.at(-1)!.id]) }
          }
          items.push(record)
        }
        from = page.at(-1)
      }
    },

    async changes(read) {
      const changes = (await within(read, () => db.read('HGET', keys.of('meta'), 'changes'))) as Buffer | null
      return changes === null ? 0 : Number(changes.toString())
    },
  }
}

/** Lets go of a read that takes too long, or that nobody wants any more. */
async function within<T>(read: Read | undefined, work: () => Promise<T>): Promise<T> {
  const { signal, timeoutMs = 2_000 } = read ?? {}
  signal?.throwIfAborted()
  let timer: NodeJS.Timeout | undefined
  let onAbort: (() => void) | undefined
  try {
    return await Promise.race([
      work(),
      new Promise<never>((_, reject) => {
        onAbort = () => reject(signal?.reason)
        signal?.addEventListener('abort', onAbort, { once: true })
        timer = setTimeout(() => {
          reject(new QError('Q_STORAGE_UNAVAILABLE', `Redis did not answer a read within ${timeoutMs} ms.`))
        }, timeoutMs)
      }),
    ])
  } finally {
    clearTimeout(timer)
    if (onAbort) signal?.removeEventListener('abort', onAbort)
  }
}

function textsOfAnswer(answer: unknown): string[] {
  return (answer as Buffer[]).map((text) => text.toString())
}

async function allNames(db: Database, kind: 'job' | 'queue' | 'tag'): Promise<string[]> {
  return textsOfAnswer(await db.read('ZRANGE', db.keys.of('names', kind), 0, -1))
}

async function recordOf(db: Database, id: string): Promise<JobRecord | null> {
  const bytes = (await db.read('GET', db.keys.of('job', id))) as Buffer | null
  const record = bytes === null ? null : readRecord(id, bytes)
  return record === null || record.isStub ? null : record
}

function jobViewOf(id: string, answer: unknown): JobView | null {
  if (answer === null) return null
  const [bytes, long, progress, packed] = answer as [Buffer, Buffer, Buffer, Buffer]
  const record = readRecord(id, bytes)
  const facts = mapOf(unpack(packed))
  return viewOf(record, {
    payload: payloadOf(record.isLong ? long : record.payload, record.isBinary),
    progress: progress.length === 0 ? undefined : unkinded(progress),
    parents: parentsOf(facts.get('parents')),
    children: numberOf(facts.get('children'))!,
  })
}

function parentsOf(list: Unpacked | undefined): { id: string; phase: Phase | 'gone' }[] {
  return listOf(list).map((item) => {
    const [id, phase] = listOf(item)
    return { id: textOf(id), phase: phase === 0 ? 'gone' : phaseOf(numberOf(phase)!) }
  })
}

function logLineOf(bytes: Buffer): LogLine {
  const [n, at, attempt, , , text] = listOf(unpack(bytes))
  return { n: numberOf(n)!, at: numberOf(at)!, attempt: numberOf(attempt)!, text: unkinded(text as Buffer) }
}

function countsOf(at: number, fields: readonly Buffer[], heads: readonly Buffer[], names: readonly Buffer[]): Counts {
  const byPhase = Object.fromEntries(phases.map((phase) => [phase, 0])) as Record<Phase, number>
  const queues = new Map<string, { ready: number; active: number; scheduled: number; oldestReadyAt?: number }>()
  const queueOf = (name: string): { ready: number; active: number; scheduled: number; oldestReadyAt?: number } => {
    let queue = queues.get(name)
    if (!queue) queues.set(name, (queue = { ready: 0, active: 0, scheduled: 0 }))
    return queue
  }
  for (const name of names) queueOf(name.toString())
  let retrying = 0
  for (let i = 0; i < fields.length; i += 2) {
    const field = fields[i]!.toString()
    const phase = phases[Number(field[0]) - 1]
    if (field === '#retrying') retrying = Number(fields[i + 1]!.toString())
    if (phase === undefined) continue
    const value = Number(fields[i + 1]!.toString())
    byPhase[phase] += value
    const queue = queueOf(field.slice(1))
    if (phase === 'ready' || phase === 'active' || phase === 'scheduled') queue[phase] = value
  }
  for (let i = 0; i < heads.length; i += 2)
    queueOf(heads[i]!.toString()).oldestReadyAt = Number(heads[i + 1]!.toString())
  const sorted = [...queues].sort(([a], [b]) => (a < b ? -1 : 1))
  return { at, exact: true, byPhase, retrying, byQueue: Object.fromEntries(sorted) as Record<string, QueueCounts> }
}

function errorGroupOf(fingerprint: string, fields: readonly Buffer[], now: number): ErrorGroup | null {
  const group = new Map<string, Buffer>()
  for (let i = 0; i < fields.length; i += 2) group.set(fields[i]!.toString(), fields[i + 1]!)
  if (!group.has('count')) return null
  const number = (field: string): number => Number(group.get(field)?.toString() ?? 0)
  const hour = Math.floor(now / hourMs)
  return {
    fingerprint,
    preview: group.get('preview')!.toString(),
    names: textsOf(unpack(group.get('names')!)).sort(),
    count: number('count'),
    firstAt: number('first'),
    lastAt: number('last'),
    trend: Array.from({ length: trendHours }, (_, i) => number(`h${hour - trendHours + 1 + i}`)),
    sample: group.get('sample')!.toString(),
  }
}
