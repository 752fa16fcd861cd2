import { configureQueue } from './scripts/queues.ts'
import type { QueuesRoom } from '@q/core/storage'
import type { Database } from './database.ts'
import type { Packable } from './msgpack.ts'

export function createQueues(db: Database): QueuesRoom {
  return {
    async set(queue, config) {
      // Lua tables hold no null: false says that a field is cleared, absence that it stays.
      const change: { [key: string]: Packable } = {}
      for (const field of ['paused', 'maxActive', 'rate'] as const) {
        const value = config[field]
        if (value !== undefined) change[field] = value === null ? false : toPackable(value)
      }
      await db.run(configureQueue, { queue, change, publish: db.publishCommand() })
    },
  }
}

function toPackable(value: number | object): Packable {
  return typeof value === 'number' ? value : (value as { readonly [key: string]: Packable })
}
