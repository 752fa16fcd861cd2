import type { QueueConfig, QueuesRoom } from '../storage/queues.ts'
import { frozenCopy } from './copy.ts'
import { isPaused } from './queue.ts'
import { type Store, begin, queueOf } from './store.ts'

export function createQueuesRoom(store: Store): QueuesRoom {
  return {
    async set(name, config) {
      begin(store)
      const queue = queueOf(store, name)
      queue.config = frozenCopy({ ...queue.config, ...fieldsOf(config) })
      store.queueChanges++
      store.changes++
      for (const session of store.sessions.keys()) store.watchers.session(session)
      if (!isPaused(queue, store.now)) store.watchers.queue(name)
    },
  }
}

/** An absent field keeps what is there, also when it is present and undefined. */
function fieldsOf(config: QueueConfig): QueueConfig {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined))
}
