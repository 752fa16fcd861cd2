import { Logger, makeWorkerUtils, run } from 'graphile-worker'
import pg from 'pg'
import type { Bench, Contender, Data, Place } from '../contender.ts'

/** Best: a local queue, and completions in batches, as its page on performance advises. */
export const contenders: readonly Contender[] = [
  { name: 'graphile-worker', storage: 'postgres', setting: 'best', open: (place) => open(place, 500) },
  { name: 'graphile-worker', storage: 'postgres', setting: 'default', open: (place) => open(place, null) },
]

const logger = new Logger(() => () => undefined)

async function open({ url }: Place, localQueue: number | null): Promise<Bench> {
  const pgPool = new pg.Pool({ connectionString: url, max: 20 })
  const utils = await makeWorkerUtils({ pgPool, logger })
  await utils.migrate()
  return {
    enqueue: (data) => utils.addJob('recalculate', data),
    enqueueMany: (list) => utils.addJobs(list.map((payload) => ({ identifier: 'recalculate', payload }))),
    async work(concurrency, handle) {
      const tuned =
        localQueue === null
          ? {}
          : { localQueue: { size: Math.max(localQueue, concurrency) }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
      const runner = await run({
        pgPool,
        logger,
        noHandleSignals: true,
        concurrency,
        preset: { worker: { concurrentJobs: concurrency, ...tuned } },
        taskList: { recalculate: async (payload) => handle(payload as Data) },
      })
      return { stop: () => runner.stop() }
    },
    async unfinished() {
      const { rows } = await pgPool.query<{ n: number }>('select count(*)::int as n from graphile_worker._private_jobs')
      return rows[0]?.n ?? 0
    },
    async close() {
      await utils.release()
      await pgPool.end()
    },
  }
}
