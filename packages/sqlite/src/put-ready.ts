import { addReady } from './statements/job.ts'
import type { Store } from './store.ts'
import type { StoredJob } from './stored-job.ts'

/** Among the jobs that can be claimed, at its place. */
export function putReady(store: Store, job: StoredJob): void {
  const kept = job.cold.keep === undefined ? 0 : 1
  store.db.run(addReady, job.queue.n, job.priority, job.seq, job.id, job.at, job.name, 1, kept)
  store.arrivals++
  store.wakes.queue(job.queue.name)
}
