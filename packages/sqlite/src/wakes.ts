import type { JobId, SessionId, Topic } from '@q/core/storage'

interface Watcher {
  readonly topics: readonly Topic[]
  readonly wake: () => void
  closed: boolean
  woken: boolean
}

/** Who waits for what in this process, and what the present step has to tell them once it is committed. */
export class Wakes {
  readonly #byTopic = new Map<string, Set<Watcher>>()
  readonly #told = new Set<string>()
  readonly #watchers = new Set<Watcher>()
  /** Of single jobs: while there are none, what happens to a job costs nothing here. */
  #jobsWatched = 0

  get isWatched(): boolean {
    return this.#watchers.size > 0
  }

  add(topics: readonly Topic[], wake: () => void): () => void {
    const watcher: Watcher = { topics, wake, closed: false, woken: false }
    this.#watchers.add(watcher)
    const jobs = topics.filter((topic) => 'job' in topic).length
    this.#jobsWatched += jobs
    for (const topic of topics) {
      const others = this.#byTopic.get(topicKey(topic))
      if (others === undefined) this.#byTopic.set(topicKey(topic), new Set([watcher]))
      else others.add(watcher)
    }
    return () => {
      if (!watcher.closed) this.#jobsWatched -= jobs
      watcher.closed = true
      this.#watchers.delete(watcher)
      for (const topic of topics) {
        const others = this.#byTopic.get(topicKey(topic))
        if (others?.delete(watcher) && others.size === 0) this.#byTopic.delete(topicKey(topic))
      }
    }
  }

  watches(key: string): boolean {
    return this.#byTopic.has(key)
  }

  queue(name: string): void {
    if (this.isWatched) this.#told.add(`queue ${name}`)
  }

  job(id: JobId): void {
    if (this.#jobsWatched > 0) this.#told.add(`job ${id}`)
  }

  session(id: SessionId): void {
    if (this.isWatched) this.#told.add(`session ${id}`)
  }

  lock(name: string): void {
    if (this.isWatched) this.#told.add(`lock ${name}`)
  }

  schedules(): void {
    if (this.isWatched) this.#told.add('schedules')
  }

  names(): void {
    if (this.isWatched) this.#told.add('names')
  }

  /** The step is committed. */
  tell(): void {
    for (const key of this.#told) this.wakeTopic(key)
    this.#told.clear()
  }

  /** The step was rolled back. */
  forget(): void {
    this.#told.clear()
  }

  /** What is watched, for whoever looks at what other processes have done. */
  topics(): readonly Topic[] {
    return [...this.#byTopic.values()].map((watchers) => {
      const [first] = watchers
      return first!.topics.find((topic) => this.#byTopic.get(topicKey(topic)) === watchers)!
    })
  }

  wakeTopic(key: string): void {
    for (const watcher of this.#byTopic.get(key) ?? []) {
      if (watcher.woken) continue
      watcher.woken = true
      queueMicrotask(() => {
        watcher.woken = false
        if (!watcher.closed) watcher.wake()
      })
    }
  }
}

export function topicKey(topic: Topic): string {
  if ('queue' in topic) return `queue ${topic.queue}`
  if ('job' in topic) return `job ${topic.job}`
  if ('session' in topic) return `session ${topic.session}`
  if ('lock' in topic) return `lock ${topic.lock}`
  return 'names' in topic ? 'names' : 'schedules'
}
