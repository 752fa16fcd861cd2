import type { JobId, SessionId } from '../storage/job.ts'
import type { Topic } from '../storage/wakeups.ts'

interface Watcher {
  readonly wake: () => void
  woken: boolean
  closed: boolean
}

/** Who wants to hear of what. Wakes come after the step that caused them, never inside it, and once for many reasons. */
export class Watchers {
  readonly #topics = new Map<string, Set<Watcher>>()

  add(topics: readonly Topic[], wake: () => void): () => void {
    const watcher: Watcher = { wake, woken: false, closed: false }
    const keys = topics.map(topicKey)
    for (const key of keys) {
      const others = this.#topics.get(key)
      if (others === undefined) this.#topics.set(key, new Set([watcher]))
      else others.add(watcher)
    }
    return () => {
      watcher.closed = true
      for (const key of keys) {
        const others = this.#topics.get(key)
        if (others?.delete(watcher) && others.size === 0) this.#topics.delete(key)
      }
    }
  }

  queue(name: string): void {
    if (this.#topics.size > 0) this.#wake(topicKey({ queue: name }))
  }

  job(id: JobId): void {
    if (this.#topics.size > 0) this.#wake(topicKey({ job: id }))
  }

  session(id: SessionId): void {
    if (this.#topics.size > 0) this.#wake(topicKey({ session: id }))
  }

  lock(name: string): void {
    if (this.#topics.size > 0) this.#wake(topicKey({ lock: name }))
  }

  names(): void {
    if (this.#topics.size > 0) this.#wake(topicKey({ names: true }))
  }

  schedules(): void {
    if (this.#topics.size > 0) this.#wake(topicKey({ schedules: true }))
  }

  #wake(key: string): void {
    for (const watcher of this.#topics.get(key) ?? []) {
      if (watcher.woken) continue
      watcher.woken = true
      queueMicrotask(() => {
        watcher.woken = false
        if (!watcher.closed) watcher.wake()
      })
    }
  }
}

function topicKey(topic: Topic): string {
  if ('queue' in topic) return `queue ${topic.queue}`
  if ('job' in topic) return `job ${topic.job}`
  if ('session' in topic) return `session ${topic.session}`
  if ('lock' in topic) return `lock ${topic.lock}`
  return 'names' in topic ? 'names' : 'schedules'
}
