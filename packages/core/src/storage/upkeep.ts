import type { JobId, Ms, SessionId } from './job.ts'

/** What has to happen by itself. Any server may call these at any time, concurrently; work is chunked. */
export interface UpkeepRoom {
  /** Owed effects first, then what is due, then live waiters of gates that have room. `nextDue` is now while anything is owed. */
  promote(
    limit: number,
  ): Promise<{ readonly moved: number; readonly again: boolean; readonly nextDue?: Ms | undefined }>
  /** Two looks: a session silent for ttl/2 becomes suspect; suspect for another ttl/2 it is lost, and its jobs are handed on. */
  recover(limit: number): Promise<Recovered>
  /** Removes what `keep` lets go: the job, its history, logs and edges together. */
  sweep(limit: number): Promise<{ readonly removed: number; readonly again: boolean }>
}

export interface Recovered {
  readonly jobs: readonly JobId[]
  readonly sessions: readonly SessionId[]
  readonly again: boolean
  /** When a session that is not heard from again becomes suspect or lost: before that, another call has nothing to do. Absent = no session is open. */
  readonly nextLook?: Ms | undefined
}
