import { randomUUID } from 'node:crypto'
import type { CreateOutcome, NewJob } from '@q/core/storage'
import type { Connections } from './connection.ts'
import { dashed, idToUuid } from './id.ts'
import type { Names } from './names.ts'
import { poke } from './statements/pokes.ts'

/**
 * However many changes it makes, a process spends at most a twentieth of its time on notifications: the more there is
 * to do for the server, the longer each takes, and the fewer there are.
 */
const restPerTime = 20
const shortestSpacingMs = 5
const longestSpacingMs = 50
const fewJobs = 200

/**
 * Tells watchers what has changed: those of this process at once, those of others by a notification. That is sent after
 * the change was committed, by a statement of its own, and only while somebody listens: PostgreSQL takes a lock of the
 * whole server to commit a notification. All of it are hints; correctness rests on polling.
 */
export class Pokes {
  /** Of this process, so that it does not answer itself. */
  readonly origin: string = randomUUID()
  readonly channel: string
  readonly #connections: Connections
  readonly #names: Names
  readonly #wakers = new Map<string, Set<() => void>>()
  #dirty = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #nextAt = -Infinity
  #sending: Promise<void> | undefined
  #closed = false
  /** Somebody elsewhere watches single jobs: only then are they worth telling. */
  #jobsAreWatched = true

  constructor(connections: Connections, names: Names, channel: string) {
    this.#connections = connections
    this.#names = names
    this.channel = channel
  }

  /** What is watched here. */
  get topics(): readonly string[] {
    return [...this.#wakers.keys()]
  }

  add(topics: readonly string[], wake: () => void): () => void {
    for (const topic of topics) {
      const wakers = this.#wakers.get(topic)
      if (wakers === undefined) this.#wakers.set(topic, new Set([wake]))
      else wakers.add(wake)
    }
    return () => {
      for (const topic of topics) {
        const wakers = this.#wakers.get(topic)
        if (wakers?.delete(wake) === true && wakers.size === 0) this.#wakers.delete(topic)
      }
    }
  }

  /** Wakes those of this process. */
  wake(topics: Iterable<string>): void {
    const woken = new Set<() => void>()
    for (const topic of topics) for (const wake of this.#wakers.get(topic) ?? []) woken.add(wake)
    for (const wake of woken) wake()
  }

  wakeAll(): void {
    this.wake(this.#wakers.keys())
  }

  /** As the functions answer: one topic a line. */
  touch(topics: string | null): void {
    if (topics)
      this.#tell(
        topics.split('\n').filter((topic) => topic !== '' && (!topic.startsWith('j:') || this.#isWorthTelling())),
      )
  }

  tell(topics: readonly string[]): void {
    this.#tell(topics)
  }

  created(jobs: readonly NewJob[], outcomes: readonly CreateOutcome[]): void {
    const queues = new Set<string>()
    for (const [i, job] of jobs.entries()) if (outcomes[i]?.ok === 'created') queues.add(job.queue)
    if (queues.size > 0) this.#tell([...queues].map((queue) => queueTopic(this.#names.queue(queue))))
  }

  /** Jobs that have changed, by their uuid. */
  jobs(uuids: readonly string[]): void {
    if (uuids.length === 0 || !this.#isWorthTelling()) return
    this.#tell(uuids.map((uuid) => `j:${dashed(uuid)}`))
  }

  /** Sends what is still to be told. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#sending
    if (this.#dirty.size > 0) await this.#send()
  }

  #watchesJobs(): boolean {
    for (const topic of this.#wakers.keys()) if (topic.startsWith('j:')) return true
    return false
  }

  /** Single jobs: always while they are few, so that a new watcher elsewhere is found out; all of them while there is one. */
  #isWorthTelling(): boolean {
    return this.#dirty.size < fewJobs || this.#jobsAreWatched || this.#watchesJobs()
  }

  #tell(topics: readonly string[]): void {
    if (topics.length === 0) return
    this.wake(topics)
    for (const topic of topics) this.#dirty.add(topic)
    if (this.#timer !== undefined || this.#sending !== undefined || this.#closed) return
    this.#plan()
  }

  #plan(): void {
    const waitMs = this.#nextAt - performance.now()
    if (waitMs <= 0) return void (this.#sending = this.#send())
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#sending = this.#send()
    }, waitMs)
    this.#timer.unref()
  }

  async #send(): Promise<void> {
    const topics = [...this.#dirty]
    this.#dirty = new Set()
    const sentAt = performance.now()
    try {
      const [row] = await this.#connections.write(poke, [this.channel, this.origin, topics], 'pulse')
      this.#jobsAreWatched = row?.jobs === true
    } catch {
      // A lost hint delays, it never stalls: whoever would have been woken polls.
    } finally {
      const spacingMs = (performance.now() - sentAt) * restPerTime
      this.#nextAt = sentAt + Math.min(Math.max(spacingMs, shortestSpacingMs), longestSpacingMs)
      this.#sending = undefined
      if (this.#dirty.size > 0 && !this.#closed) this.#plan()
    }
  }
}

export function queueTopic(num: number): string {
  return `q:${num}`
}

export function jobTopic(id: string): string {
  return `j:${dashed(idToUuid(id))}`
}
