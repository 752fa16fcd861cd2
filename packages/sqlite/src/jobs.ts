import type { CreateOutcome, JobsRoom, NewJob } from '@q/core/storage'
import { applyTransition } from './apply-transitions.ts'
import { refuseLongList } from './capabilities.ts'
import type { Database } from './connection.ts'
import { createJobs } from './create-jobs.ts'
import type { Engine } from './engine.ts'

/** Jobs on SQLite: at once, later, or inside the caller's own transaction. */
export interface SqliteJobsRoom extends JobsRoom {
  createSync(jobs: readonly NewJob[]): CreateOutcome[]
  within(tx: Database): {
    create(jobs: readonly NewJob[]): Promise<CreateOutcome[]>
    createSync(jobs: readonly NewJob[]): CreateOutcome[]
  }
}

export function createJobsRoom(engine: Engine): SqliteJobsRoom {
  const room: SqliteJobsRoom = {
    create(jobs) {
      return engine.write((store) => {
        refuseLongList('create', jobs)
        return createJobs(store, jobs)
      })
    },
    createSync(jobs) {
      return engine.writeSync((store) => {
        refuseLongList('create', jobs)
        return createJobs(store, jobs)
      })
    },
    apply(list) {
      return engine.write((store) => {
        refuseLongList('apply', list)
        return list.map((change) => applyTransition(store, change))
      })
    },
    within(tx) {
      const createSync = (jobs: readonly NewJob[]): CreateOutcome[] => {
        return engine.writeWithin(tx, (store) => {
          refuseLongList('create', jobs)
          return createWithin(store, jobs)
        })
      }
      return { createSync, create: async (jobs) => createSync(jobs) }
    },
  }
  return engine.sharesDatabase ? room : withoutTransactions(room)
}

/** A database in memory that nobody else can reach: what cannot be done is not offered, though the type cannot tell. */
function withoutTransactions({ create, createSync, apply }: SqliteJobsRoom): SqliteJobsRoom {
  return { create, createSync, apply } as SqliteJobsRoom
}

/** Whom a job replaces would stay changed for as long as the caller's transaction is open: that is refused. */
function createWithin(store: Parameters<typeof createJobs>[0], jobs: readonly NewJob[]): CreateOutcome[] {
  const refused: CreateOutcome = {
    ok: 'invalid',
    reason:
      'a unique job with conflict "replace" cannot be created inside a transaction of yours: create it outside, or use "skip"',
  }
  const allowed = jobs.filter((job) => job.unique?.conflict !== 'replace')
  const outcomes = createJobs(store, allowed).values()
  return jobs.map((job) => (job.unique?.conflict === 'replace' ? refused : outcomes.next().value!))
}
