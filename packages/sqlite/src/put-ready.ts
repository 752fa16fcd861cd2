import { addReady } from './statements/job.ts'
import type { Store } from './store.ts'
import type { StoredJob } from './stored-job.ts'

/** Among the jobs that can be claimed, at its place. */
export function putReady(store: Store, job: StoredJob): void {
  const kept = job.cold.keep === undefined ? 0 : 1
  const { queue, priority, seq, born, id, at, name } = job
  store.db.run(addReady, queue.n, priority, seq, born, born, id, at, name, 1, kept)
  store.arrivals++
  store.wakes.queue(job.queue.name)
}
