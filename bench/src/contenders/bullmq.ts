import { Queue, Worker } from 'bullmq'
import type { Bench, Contender, Place } from '../contender.ts'

/** Its documentation gives no faster setting than a higher concurrency, which every scenario sets; finished jobs are removed. */
export const contenders: readonly Contender[] = [
  { name: 'bullmq', storage: 'redis', setting: 'best', open: (place) => open(place, true) },
  { name: 'bullmq', storage: 'redis', setting: 'default', open: (place) => open(place, false) },
]

async function open({ url }: Place, remove: boolean): Promise<Bench> {
  const { hostname: host, port } = new URL(url)
  const connection = { host, port: Number(port), maxRetriesPerRequest: null }
  const queue = new Queue('bench', { connection, ...(remove ? { defaultJobOptions: { removeOnComplete: true } } : {}) })
  await queue.waitUntilReady()
  return {
    enqueue: (data) => queue.add('recalculate', data),
    enqueueMany: (list) => queue.addBulk(list.map((data) => ({ name: 'recalculate', data }))),
    async work(concurrency, handle) {
      const worker = new Worker('bench', async (job) => handle(job.data), { connection, concurrency })
      await worker.waitUntilReady()
      return { stop: () => worker.close() }
    },
    async unfinished() {
      const counts = await queue.getJobCounts('wait', 'active', 'delayed', 'prioritized')
      return Object.values(counts).reduce((sum, count) => sum + count, 0)
    },
    close: () => queue.close(),
  }
}
