import type { Topic, WakeupsRoom } from '@q/core/storage'
import type { Listener } from './listener.ts'
import type { Names } from './names.ts'
import { jobTopic, queueTopic } from './pokes.ts'
import type { Room } from './room.ts'

/** `listener` is null where listening was switched off. */
export function createWakeupsRoom({ names, pokes, enter }: Room, listener: Listener | null): WakeupsRoom {
  return {
    watch: (topics, wake) =>
      enter(async () => {
        await names.learn(topics.flatMap((topic) => ('queue' in topic ? [topic.queue] : [])))
        const remove = pokes.add(
          topics.flatMap((topic) => keysOf(topic, names)),
          wake,
        )
        await listener?.update()
        return {
          async close() {
            remove()
          },
        }
      }),
  }
}

function keysOf(topic: Topic, names: Names): readonly string[] {
  if ('queue' in topic) return [queueTopic(names.queue(topic.queue))]
  if ('job' in topic) return [jobTopic(topic.job)]
  // A changed queue concerns every session.
  if ('session' in topic) return [`s:${topic.session}`, configTopic]
  if ('lock' in topic) return [lockTopic(topic.lock)]
  return ['names' in topic ? namesTopic : schedulesTopic]
}

export const namesTopic = 'n'
export const configTopic = 'c'
export const schedulesTopic = 'r'

export function lockTopic(name: string): string {
  return `l:${name}`
}
