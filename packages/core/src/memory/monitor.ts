import type { Phase } from '../storage/job.ts'
import { phases } from '../storage/job.ts'
import type { Counts, ErrorGroup, MonitorRoom, Page, QueueCounts, Read, Standing } from '../storage/monitor.ts'
import type { RecurringRecord } from '../storage/recurring.ts'
import { copyPayload, frozenCopy } from './copy.ts'
import { readMark, writeMark } from './cursor.ts'
import { roomAt } from './gates.ts'
import { type StoredJob, comparePlaces, phaseOf } from './job.ts'
import { countJobs, listJobs } from './list-jobs.ts'
import type { QueueState } from './queue.ts'
import { nextTokenAt } from '../storage/rate.ts'
import { type Store, begin } from './store.ts'
import { historyOf, parentsOf, viewOf } from './views.ts'

export function createMonitorRoom(store: Store): MonitorRoom {
  const look = (read: Read | undefined): void => {
    read?.signal?.throwIfAborted()
    begin(store)
  }
  return {
    async get(ids, read) {
      look(read)
      return ids.map((id) => {
        const job = store.jobs.get(id)
        return job === undefined ? null : viewOf(store, job)
      })
    },
    async history(id, after = 0, read) {
      look(read)
      const job = store.jobs.get(id)
      return job === undefined ? [] : historyOf(job, after)
    },
    async logs(id, after = 0, read) {
      look(read)
      const lines = store.jobs.get(id)?.rare?.logs?.lines ?? []
      return { items: lines.filter(({ n }) => n > after).map((line) => ({ ...line, text: copyPayload(line.text) })) }
    },
    async list(query, page, read) {
      look(read)
      return listJobs(store, query, page)
    },
    async count(query, max, read) {
      look(read)
      return countJobs(store, query, max)
    },
    async counts(read) {
      look(read)
      return counts(store)
    },
    async series(query, read) {
      look(read)
      return store.tally.series(query)
    },
    async errors({ limit, cursor, fingerprint }, read) {
      look(read)
      const groups = store.errors.all(store.now)
      if (fingerprint !== undefined) return { items: groups.filter((group) => group.fingerprint === fingerprint) }
      return pageAfter(groups, cursor, limit, errorMark, (a, b) => a > b)
    },
    async standing(id, read) {
      look(read)
      const job = store.jobs.get(id)
      return job === undefined ? null : standing(store, job)
    },
    async sessions(read) {
      look(read)
      return [...store.sessions.values()].map(({ id, server, ttl, info, seenAt, openedAt, held }) => {
        return { id, server, ttl, info: copyPayload(info), seenAt, openedAt, held: held.size }
      })
    },
    async queues(read) {
      look(read)
      return byName([...store.queues.values()]).map(({ name, config }) => ({ name, ...frozenCopy(config) }))
    },
    async names(kind, prefix, limit, read) {
      look(read)
      const names = new Set(namesOf(store, kind).filter((name) => name.startsWith(prefix)))
      return [...names].sort().slice(0, limit)
    },
    async recurring({ limit, cursor, ids, owner }, read) {
      look(read)
      const wanted = store.schedules
        .all()
        .filter((record) => (ids?.includes(record.id) ?? true) && (owner ?? record.owner) === record.owner)
      const page: Page<RecurringRecord> = pageAfter(
        wanted,
        cursor,
        limit,
        ({ id }) => id,
        (a, b) => a < b,
      )
      return { ...page, items: page.items.map((record) => frozenCopy(record)) }
    },
    async changes(read) {
      look(read)
      return store.changes
    },
  }
}

function counts(store: Store): Counts {
  const byPhase = Object.fromEntries(phases.map((phase) => [phase, store.phases[phase].size]))
  const queues = byName([...store.queues.values()]).map((queue) => [queue.name, queueCounts(queue)])
  return {
    at: store.now,
    exact: true,
    byPhase: byPhase as Record<Phase, number>,
    retrying: store.retrying,
    byQueue: Object.fromEntries(queues) as Record<string, QueueCounts>,
  }
}

function queueCounts({ ready, aside, active, scheduled }: QueueState): QueueCounts {
  const [head] = [ready.first(), aside.first()].filter((job) => job !== undefined).sort(comparePlaces)
  const sizes = { ready: ready.size + aside.size, active, scheduled }
  return head === undefined ? sizes : { ...sizes, oldestReadyAt: head.readyAt }
}

function standing(store: Store, job: StoredJob): Standing {
  const phase = phaseOf(job)
  const { queue } = job.lane
  const ahead = { value: queue.ready.rank(job) + queue.aside.rank(job), exact: true }
  return {
    phase,
    gates: gatesOf(store, job),
    parents: parentsOf(store, job),
    queue: frozenCopy(queue.config),
    ...(phase === 'ready' ? { ahead } : {}),
    ...(job.rare?.parkedFor === undefined ? {} : { parkedFor: job.rare.parkedFor }),
    ...(job.dueAt === undefined ? {} : { dueAt: job.dueAt }),
  }
}

/** The most holders that are named; `used` counts them all. */
const namedHolders = 10

function gatesOf(store: Store, job: StoredJob): Standing['gates'] {
  return (job.rare?.gates ?? []).map((gate) => {
    const state = store.gates.get(gate.key)
    const holders = [...(state?.holders ?? []).values()].slice(0, namedHolders).map(({ id }) => id)
    const waitsForToken = gate.rate !== undefined && roomAt(state, { key: gate.key, rate: gate.rate }, store.now) === 0
    return {
      key: gate.key,
      used: state?.holders.size ?? 0,
      holders,
      ...(gate.limit === undefined ? {} : { limit: gate.limit }),
      ...(waitsForToken ? { opensAt: nextTokenAt(gate.rate, state?.fullAt ?? 0, store.now) } : {}),
    }
  })
}

function namesOf(store: Store, kind: 'job' | 'queue' | 'tag'): string[] {
  switch (kind) {
    case 'job':
      return [...store.queues.values()].flatMap((queue) => [...queue.lanes.keys()])
    case 'queue':
      return [...store.queues.keys()]
    case 'tag':
      return [...store.tags.keys()]
    default:
      return kind satisfies never
  }
}

function byName(queues: QueueState[]): QueueState[] {
  return queues.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Later failures first; texts of equal length compare like the numbers in them. */
function errorMark({ lastAt, fingerprint }: ErrorGroup): string {
  return `${String(lastAt).padStart(16, '0')} ${fingerprint}`
}

/** A page of a short list that is sorted by its marks. */
function pageAfter<T>(
  sorted: readonly T[],
  cursor: string | undefined,
  limit: number,
  markOf: (item: T) => string,
  isBefore: (mark: string, other: string) => boolean,
): Page<T> {
  const mark = readMark(cursor)
  const rest = mark === undefined ? sorted : sorted.filter((item) => isBefore(mark, markOf(item)))
  const items = rest.slice(0, limit)
  return rest.length > limit && limit > 0 ? { items, next: writeMark(markOf(items.at(-1)!)) } : { items }
}
