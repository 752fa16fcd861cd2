import type { JobId, SessionId } from '../storage/job.ts'
import type { Topic } from '../storage/wakeups.ts'

interface Watcher {
  readonly wake: () => void
  woken: boolean
  closed: boolean
}

/** Who wants to hear of what. Wakes come after the step that caused them, never inside it, and once for many reasons. */
export class Watchers {
  /** By kind, so that a job nobody watches costs one look. */
  readonly #topics = {
    queue: new Map<string, Set<Watcher>>(),
    job: new Map<string, Set<Watcher>>(),
    session: new Map<string, Set<Watcher>>(),
    lock: new Map<string, Set<Watcher>>(),
    names: new Map<string, Set<Watcher>>(),
    schedules: new Map<string, Set<Watcher>>(),
  }

  add(topics: readonly Topic[], wake: () => void): () => void {
    const watcher: Watcher = { wake, woken: false, closed: false }
    for (const [kind, key] of topics.map(keyOf)) {
      const others = this.#topics[kind].get(key)
      if (others === undefined) this.#topics[kind].set(key, new Set([watcher]))
      else others.add(watcher)
    }
    return () => {
      watcher.closed = true
      for (const [kind, key] of topics.map(keyOf)) {
        const others = this.#topics[kind].get(key)
        if (others?.delete(watcher) && others.size === 0) this.#topics[kind].delete(key)
      }
    }
  }

  queue(name: string): void {
    this.#wake(this.#topics.queue.get(name))
  }

  job(id: JobId): void {
    this.#wake(this.#topics.job.get(id))
  }

  session(id: SessionId): void {
    this.#wake(this.#topics.session.get(id))
  }

  lock(name: string): void {
    this.#wake(this.#topics.lock.get(name))
  }

  names(): void {
    this.#wake(this.#topics.names.get(''))
  }

  schedules(): void {
    this.#wake(this.#topics.schedules.get(''))
  }

  #wake(watchers: ReadonlySet<Watcher> | undefined): void {
    if (watchers === undefined) return
    for (const watcher of watchers) {
      if (watcher.woken) continue
      watcher.woken = true
      queueMicrotask(() => {
        watcher.woken = false
        if (!watcher.closed) watcher.wake()
      })
    }
  }
}

function keyOf(
  topic: Topic,
): readonly [kind: 'queue' | 'job' | 'session' | 'lock' | 'names' | 'schedules', key: string] {
  if ('queue' in topic) return ['queue', topic.queue]
  if ('job' in topic) return ['job', topic.job]
  if ('session' in topic) return ['session', topic.session]
  if ('lock' in topic) return ['lock', topic.lock]
  return ['names' in topic ? 'names' : 'schedules', '']
}
