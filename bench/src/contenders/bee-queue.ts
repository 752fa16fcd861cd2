import BeeQueue from 'bee-queue'
import type { Bench, Contender, Data, Place } from '../contender.ts'

/** Best: nothing stored of finished jobs, and none of the events a producer could listen to. */
export const contenders: readonly Contender[] = [
  { name: 'bee-queue', storage: 'redis', setting: 'best', open: (place) => open(place, true) },
  { name: 'bee-queue', storage: 'redis', setting: 'default', open: (place) => open(place, false) },
]

async function open({ url }: Place, lean: boolean): Promise<Bench> {
  const { hostname: host, port } = new URL(url)
  const settings = {
    redis: { host, port: Number(port) },
    ...(lean ? { storeJobs: false, getEvents: false, sendEvents: false, removeOnSuccess: true } : {}),
  }
  const queue = new BeeQueue<Data>('bench', { ...settings, isWorker: false })
  await queue.ready()
  return {
    enqueue: (data) => queue.createJob(data).save(),
    enqueueMany: (list) => queue.saveAll(list.map((data) => queue.createJob(data))),
    async work(concurrency, handle) {
      const worker = new BeeQueue<Data>('bench', { ...settings, isWorker: true })
      await worker.ready()
      worker.process(concurrency, async (job: BeeQueue.Job<Data>) => handle(job.data))
      return { stop: () => worker.close(5000) }
    },
    async unfinished() {
      const { waiting, active, delayed } = await queue.checkHealth()
      return waiting + active + delayed
    },
    close: () => queue.close(5000),
  }
}
