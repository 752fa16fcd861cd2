import { join } from 'node:path'
import { createClient, createServer, defineJob, memoryStorage } from '@q/core'
import type { JobStorage } from '@q/core'
import { postgresStorage } from '@q/postgres'
import { redisStorage } from '@q/redis'
import { sqliteStorage } from '@q/sqlite'
import type { Bench, Contender, Data, Place, StorageName } from '../contender.ts'

/** This project as its users get it: filters on, history kept, nothing tuned but the concurrency. */
function q(storage: StorageName, open: (place: Place) => JobStorage): Contender {
  return { name: 'q', storage, setting: 'default', open: async (place) => openBench(open(place)) }
}

const recalculate = defineJob<Data>()({ name: 'recalculate' })

async function openBench(storage: JobStorage): Promise<Bench> {
  await storage.start()
  const client = createClient({ storage })
  return {
    enqueue: (data) => client.enqueue(recalculate, data),
    enqueueMany: (list) => client.enqueueMany(recalculate, list),
    async work(concurrency, handle) {
      const server = createServer({ storage, jobs: [recalculate], concurrency }).handle(recalculate, handle)
      await server.start()
      return { stop: () => server.stop() }
    },
    async unfinished() {
      const { byPhase } = await storage.monitor.counts()
      return byPhase.ready + byPhase.active + byPhase.scheduled
    },
    async close() {
      await client.close()
      await storage.close()
    },
  }
}

export const contenders: readonly Contender[] = [
  q('redis', ({ url }) => redisStorage(url)),
  q('postgres', ({ url }) => postgresStorage(url)),
  q('sqlite', ({ folder, durable }) => sqliteStorage({ path: join(folder, 'q.db'), durable })),
  q('memory', () => memoryStorage()),
]
