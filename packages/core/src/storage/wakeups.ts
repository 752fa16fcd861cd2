import type { JobId, SessionId } from './job.ts'

/** `queue`: something of it became ready or was scheduled. `job`: it changed state, progressed or logged. `session`: it has a new signal. `lock`: it was released. `names`: a new queue name. `schedules`: a recurring record was put, moved or removed. */
export type Topic =
  | { readonly queue: string }
  | { readonly job: JobId }
  | { readonly session: SessionId }
  | { readonly lock: string }
  | { readonly names: true }
  | { readonly schedules: true }

export interface Watch {
  close(): Promise<void>
}

/** Hints only: they may be lost, merged, late or spurious. Correctness rests on polling. */
export interface WakeupsRoom {
  /** Calls `wake` soon after something of these topics may have changed. `wake` must return at once and never throws. */
  watch(topics: readonly Topic[], wake: () => void): Promise<Watch>
}
