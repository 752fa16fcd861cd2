import type { SynchronousJobsRoom } from '../storage/jobs.ts'
import { applyTransition } from './apply-transitions.ts'
import { refuseLongList } from './capabilities.ts'
import { createJobs } from './create-jobs.ts'
import { type Store, begin } from './store.ts'

export function createJobsRoom(store: Store): SynchronousJobsRoom {
  const room: SynchronousJobsRoom = {
    createSync(jobs) {
      begin(store)
      refuseLongList('create', jobs)
      return createJobs(store, jobs)
    },
    async create(jobs) {
      return room.createSync(jobs)
    },
    async apply(list) {
      begin(store)
      refuseLongList('apply', list)
      return list.map((change) => applyTransition(store, change))
    },
  }
  return room
}
