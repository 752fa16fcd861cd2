import { PgBoss } from 'pg-boss'
import type { Bench, Contender, Data, Place, Working } from '../contender.ts'

/** Best: jobs fetched and completed a hundred at a time by four loops; default: `work` with its own batch of one. */
export const contenders: readonly Contender[] = [
  { name: 'pg-boss', storage: 'postgres', setting: 'best', open: (place) => open(place, fetchByHundreds) },
  {
    name: 'pg-boss',
    storage: 'postgres',
    setting: 'default',
    // A hundred loops look once in half a second each.
    mostDrained: 2000,
    open: (place) => open(place, workOneByOne),
  },
]

type Work = (boss: PgBoss, concurrency: number, handle: (data: Data) => void | Promise<void>) => Promise<Working>

const queue = 'recalculate'

async function open({ url }: Place, work: Work): Promise<Bench> {
  const boss = new PgBoss({ connectionString: url, max: 20 })
  boss.on('error', () => undefined)
  await boss.start()
  await boss.createQueue(queue)
  return {
    enqueue: (data) => boss.send(queue, data),
    enqueueMany: (list) =>
      boss.insert(
        queue,
        list.map((data) => ({ data })),
      ),
    work: (concurrency, handle) => work(boss, concurrency, handle),
    async unfinished() {
      const { rows } = await boss
        .getDb()
        .executeSql(`select count(*)::int as n from pgboss.job where name = '${queue}' and state < 'completed'`)
      return Number(rows[0]?.n ?? 0)
    },
    close: () => boss.stop({ graceful: false }),
  }
}

const fetchByHundreds: Work = async (boss, concurrency, handle) => {
  let isRunning = true
  const loop = async (): Promise<void> => {
    while (isRunning) {
      const jobs = await boss.fetch<Data>(queue, { batchSize: 100 })
      for (let from = 0; from < jobs.length; from += concurrency) {
        await Promise.all(jobs.slice(from, from + concurrency).map(async ({ data }) => handle(data)))
      }
      if (jobs.length > 0)
        await boss.complete(
          queue,
          jobs.map(({ id }) => id),
        )
      else await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  const loops = Array.from({ length: 4 }, loop)
  return {
    async stop() {
      isRunning = false
      await Promise.all(loops)
    },
  }
}

const workOneByOne: Work = async (boss, concurrency, handle) => {
  await boss.work<Data>(
    queue,
    { batchSize: 1, pollingIntervalSeconds: 0.5, localConcurrency: concurrency },
    async ([job]) => {
      if (job !== undefined) await handle(job.data)
    },
  )
  return { stop: () => boss.offWork(queue) }
}
