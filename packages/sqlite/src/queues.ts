import type { QueueConfig, QueuesRoom } from '@q/core/storage'
import type { Engine } from './engine.ts'
import { queueNamed } from './enter-state.ts'
import { isPaused } from './queue-book.ts'

export function createQueuesRoom(engine: Engine): QueuesRoom {
  return {
    set(name, config) {
      return engine.write((store) => {
        const queue = queueNamed(store, name)
        store.queues.configure(queue, { ...queue.config, ...fieldsOf(config) })
        for (const session of store.sessions.unfinished()) store.wakes.session(session.id)
        if (!isPaused(queue, store.now)) store.wakes.queue(name)
      })
    },
  }
}

/** An absent field keeps what is there, also when it is present and undefined. */
function fieldsOf(config: QueueConfig): QueueConfig {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined))
}
