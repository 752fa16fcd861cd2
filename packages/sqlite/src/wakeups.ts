import type { Topic, WakeupsRoom } from '@q/core/storage'
import { clock } from './clock.ts'
import type { Connection } from './connection.ts'
import type { Engine } from './engine.ts'
import { isBusy, storageError } from './errors.ts'
import { key as lockKey } from './locks.ts'
import { scheduleChanges } from './recurring.ts'
import { readClock } from './storage-time.ts'
import { statement } from './statement.ts'
import { topicKey } from './wakes.ts'

const queueState = statement<
  [string],
  { n: number; ready: number; parked: number; scheduled: number; seq: number; revision: number }
>(
  (t) => `select q.n, q.ready, q.parked, q.scheduled, s.seq, s.revision from ${t.queue} q, ${t.queue} s
    where q.name = ? and s.n = 0`,
)
const firstDue = statement<[number], { at: number }>(
  (t) => `select at from ${t.due} where queue = ? order by at limit 1`,
)
const jobState = statement<[string, string, string], { mark: string }>(
  (t) => `select coalesce((select n || rest || coalesce(hex(progress), '') from ${t.more} where id = ?),
    (select 'done' from ${t.done} where id = ?),
    (select 'active' from ${t.session} s cross join ${t.lease} l on l.session = s.n and l.id = ?), 'ready') as mark`,
)
const sessionState = statement<[string], { mark: string }>(
  (t) => `select s.buried || ' ' || q.revision || ' ' ||
    coalesce((select group_concat(id || call || coalesce(voided, '')) from ${t.signal} g where g.session = s.n), '') as mark
    from ${t.session} s, ${t.queue} q where s.id = ? and q.n = 0`,
)
const lockState = statement<[string, number], { one: 1 }>(
  (t) => `select 1 as one from ${t.lock} where name = ? and expires_at > ?`,
)
const countNames = statement<[], { n: number }>((t) => `select max(n) as n from ${t.queue}`)

/** How often to ask whether another process has written; only while somebody watches. */
const pollMs = 8
/** While the others are quiet, each look costs more than it finds. */
const restingPollMs = 20
const restsAfterMs = 1000
/** Looking at what is watched takes no longer than this at once; the rest follows at the next poll. */
const longestLookMs = 2

/**
 * What happens through this storage is told as soon as it is committed. What others write shows itself in SQLite's
 * data version, a number in shared memory; only when that has changed is there a look at what is watched.
 */
export function createWakeupsRoom(engine: Engine): WakeupsRoom {
  const others = new Others(engine)
  engine.onClose(() => others.stop())
  return {
    async watch(topics, wake) {
      await engine.start()
      const stop = engine.wakes.add(topics, wake)
      if (engine.path !== ':memory:') others.watch(topics)
      return {
        async close() {
          stop()
          others.forget(topics)
        },
      }
    },
  }
}

/** What other processes, and other storages of this one, have done to what is watched here. */
class Others {
  readonly #engine: Engine
  readonly #marks = new Map<string, string>()
  #version = -1
  #movedAt = 0
  #toLookAt: Topic[] = []
  #timer: NodeJS.Timeout | null = null
  /** How often it fires. */
  #everyMs = 0

  constructor(engine: Engine) {
    this.#engine = engine
  }

  watch(topics: readonly Topic[]): void {
    const db = this.#engine.reader
    if (db === null) return
    for (const topic of topics) this.#marks.set(topicKey(topic), this.#markOf(db, topic))
    if (this.#timer !== null) return
    this.#version = this.#engine.store!.db.dataVersion()
    this.#pollEvery(restingPollMs)
  }

  /** What nobody watches any more. */
  forget(topics: readonly Topic[]): void {
    for (const key of topics.map(topicKey)) if (!this.#engine.wakes.watches(key)) this.#marks.delete(key)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  /** One timer that goes on: most polls find nothing, so what each costs is what an idle process costs. */
  #pollEvery(ms: number): void {
    if (this.#timer !== null && this.#everyMs === ms) return
    this.stop()
    this.#everyMs = ms
    this.#timer = setInterval(() => this.#poll(), ms).unref()
  }

  #poll(): void {
    const { store, reader, wakes } = this.#engine
    if (store === null || reader === null) return this.stop()
    if (!wakes.isWatched) {
      this.stop()
      return this.#marks.clear()
    }
    try {
      // Only what others commit changes this number on the connection that writes for us.
      const version = store.db.dataVersion()
      if (version !== this.#version) {
        this.#version = version
        this.#movedAt = clock.monotonic()
        this.#toLookAt = [...wakes.topics()]
        this.#pollEvery(pollMs)
      } else if (this.#everyMs === pollMs && clock.monotonic() - this.#movedAt > restsAfterMs) {
        this.#pollEvery(restingPollMs)
      }
      if (this.#toLookAt.length > 0) this.#look(reader)
    } catch (error) {
      // A hint may be late: the next poll looks again.
      if (!isBusy(error)) throw storageError(error, this.#engine.path)
    }
  }

  #look(db: Connection): void {
    const startedAt = clock.monotonic()
    while (this.#toLookAt.length > 0 && clock.monotonic() - startedAt < longestLookMs) {
      const topic = this.#toLookAt.pop()!
      const key = topicKey(topic)
      if (!this.#engine.wakes.watches(key)) continue
      const before = this.#marks.get(key)
      const mark = this.#markOf(db, topic)
      this.#marks.set(key, mark)
      if (before !== undefined && isNews(topic, before, mark)) this.#engine.wakes.wakeTopic(key)
    }
  }

  #markOf(db: Connection, topic: Topic): string {
    if ('queue' in topic) {
      const state = db.get(queueState, topic.queue)
      if (state === undefined) return JSON.stringify([0, 0, 0, 0, 0, 0] satisfies QueueMark)
      const { n, ready, parked, scheduled, seq, revision } = state
      const dueAt = scheduled === 0 ? 0 : (db.get(firstDue, n)?.at ?? 0)
      return JSON.stringify([ready, parked, scheduled, dueAt, seq, revision] satisfies QueueMark)
    }
    if ('job' in topic) return db.get(jobState, topic.job, topic.job, topic.job)!.mark
    if ('session' in topic) return db.get(sessionState, topic.session)?.mark ?? 'gone'
    if ('lock' in topic) return db.get(lockState, lockKey(topic.lock), readClock(db)) === undefined ? 'free' : 'held'
    if ('names' in topic) return String(db.get(countNames)!.n)
    return String(db.get(scheduleChanges)?.version ?? 0)
  }
}

type QueueMark = readonly [
  ready: number,
  parked: number,
  scheduled: number,
  dueAt: number,
  seq: number,
  revision: number,
]

/** A queue that others only drain, or a lock that somebody has taken, wakes nobody. */
function isNews(topic: Topic, before: string, now: string): boolean {
  if (before === now) return false
  if ('lock' in topic) return now === 'free'
  if (!('queue' in topic)) return true
  const [ready, parked, scheduled, dueAt, seq, revision] = JSON.parse(now) as QueueMark
  const [readyThen, parkedThen, scheduledThen, dueThen, seqThen, revisionThen] = JSON.parse(before) as QueueMark
  const hasReady = ready > 0 && (seq !== seqThen || ready > readyThen)
  const hasDue = scheduled > scheduledThen || (dueAt !== 0 && dueAt !== dueThen)
  return hasReady || hasDue || parked > parkedThen || revision !== revisionThen
}
