import { join } from 'node:path'
import Database from 'better-sqlite3'
import { better, defineQueue, defineWorker, JobStatus } from 'plainjob'
import type { Bench, Contender, Data, Place } from '../contender.ts'

/** Works on one job after the other; several workers on the one connection only take turns, so there is one. */
export const contenders: readonly Contender[] = [
  { name: 'plainjob', storage: 'sqlite', setting: 'best', isSerial: true, open },
]

const silent = { error: () => undefined, warn: () => undefined, info: () => undefined, debug: () => undefined }
const type = 'recalculate'

async function open({ folder, durable }: Place): Promise<Bench> {
  const database = new Database(join(folder, 'plainjob.db'))
  const queue = defineQueue({ connection: better(database), logger: silent })
  // It sets NORMAL itself when the queue is defined.
  database.pragma(`synchronous = ${durable ? 'FULL' : 'NORMAL'}`)
  return {
    enqueue: async (data) => queue.add(type, data),
    enqueueMany: async (list) => queue.addMany(type, [...list]),
    async work(_concurrency, handle) {
      const worker = defineWorker(type, async (job) => handle(JSON.parse(job.data) as Data), { queue, logger: silent })
      const running = worker.start()
      return {
        async stop() {
          await worker.stop()
          await running
        },
      }
    },
    unfinished: async () =>
      queue.countJobs({ type, status: JobStatus.Pending }) + queue.countJobs({ type, status: JobStatus.Processing }),
    async close() {
      queue.close()
    },
  }
}
