import { randomBytes } from 'node:crypto'
import { listOf, mapOf, textsOf } from './codec/answer.ts'
import { fingerprintOf } from './codec/layout.ts'
import { unpack } from './msgpack.ts'
import type { Topic, WakeupsRoom } from '@q/core/storage'
import type { Subscriber } from './subscriber.ts'
import type { Keys } from './keys.ts'

/** How long the storage believes that somebody watches, and how often that is said again. */
const watchedMs = 60_000
const renewMs = 20_000

export interface WatchStation {
  readonly keys: Keys
  start(): Promise<void>
  subscriber(): Subscriber
  command(name: string, ...args: (string | number | Buffer)[]): Promise<unknown>
}

/**
 * Wake-ups over publish/subscribe, on a connection of their own. Scripts send them only while a key says that somebody
 * watches; the key is renewed here and goes by itself when nobody does.
 */
export function createWakeups(station: WatchStation): { readonly room: WakeupsRoom; close(): void } {
  const watchers = new Set<{ readonly hears: (told: Told) => boolean; readonly wake: () => void }>()
  const kinds = { queues: 0, jobs: 0 }
  /** Changes with every new watcher, so that he hears of a busy queue at once. */
  let stamp = 0
  const own = randomBytes(6).toString('base64url')
  let renewal: NodeJS.Timeout | undefined
  let unlisten: (() => void) | undefined

  const announce = async (): Promise<void> => {
    const marks: (readonly [number, string])[] = [
      [kinds.queues, station.keys.of('watchesQueues')],
      [kinds.jobs, station.keys.of('watchesJobs')],
    ]
    await Promise.all(
      marks
        .filter(([watching]) => watching > 0)
        .map(([, key]) => station.command('SET', key, `${own}${stamp}`, 'PX', watchedMs)),
    )
  }

  const renew = (): void => {
    void announce().catch(() => undefined)
    void station.subscriber().confirm()
  }

  const hear = (message: Buffer): void => {
    const told = readTold(message)
    for (const watcher of watchers) if (watcher.hears(told)) watcher.wake()
  }

  /** What was said while the subscription was down is lost: everybody looks for himself. */
  const wakeAll = (): void => {
    for (const watcher of watchers) watcher.wake()
  }

  const room: WakeupsRoom = {
    async watch(topics, wake) {
      await station.start()
      const watcher = { hears: hearerOf(topics), wake }
      watchers.add(watcher)
      const watchesJobs = topics.some((topic) => 'job' in topic)
      const watchesQueues = topics.some((topic) => !('job' in topic) && !('lock' in topic))
      if (watchesJobs) kinds.jobs++
      if (watchesQueues) kinds.queues++
      unlisten ??= station.subscriber().listen(hear, wakeAll)
      renewal ??= setInterval(renew, renewMs).unref()
      stamp++
      await station.subscriber().ready()
      await announce()
      let isOpen = true
      return {
        async close() {
          if (!isOpen) return
          isOpen = false
          watchers.delete(watcher)
          if (watchesJobs) kinds.jobs--
          if (watchesQueues) kinds.queues--
          if (watchers.size > 0) return
          clearInterval(renewal)
          renewal = undefined
        },
      }
    },
  }
  return {
    room,
    close() {
      clearInterval(renewal)
      watchers.clear()
      unlisten?.()
    },
  }
}

interface Told {
  readonly queues: ReadonlySet<string>
  readonly jobs: ReadonlySet<string>
  readonly sessions: ReadonlySet<string>
  readonly locks: ReadonlySet<string>
  readonly names: boolean
  readonly schedules: boolean
  readonly configuration: boolean
}

function readTold(message: Buffer): Told {
  const told = mapOf(unpack(message))
  return {
    queues: new Set(textsOf(told.get('q'))),
    jobs: new Set(textsOf(told.get('j'))),
    sessions: new Set(listOf(told.get('s')).map(String)),
    locks: new Set(textsOf(told.get('l'))),
    names: told.get('n') === true,
    schedules: told.get('r') === true,
    configuration: told.get('c') === true,
  }
}

function hearerOf(topics: readonly Topic[]): (told: Told) => boolean {
  const tests = topics.map((topic): ((told: Told) => boolean) => {
    if ('queue' in topic) return (told) => told.queues.has(topic.queue)
    if ('job' in topic) return (told) => told.jobs.has(topic.job)
    if ('lock' in topic) return (told) => told.locks.has(topic.lock)
    if ('names' in topic) return (told) => told.names
    if ('schedules' in topic) return (told) => told.schedules
    const fingerprint = fingerprintOf(topic.session)
    return (told) => told.configuration || told.sessions.has(fingerprint)
  })
  return (told) => tests.some((test) => test(told))
}
