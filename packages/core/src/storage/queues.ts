import type { Rate } from './job.ts'
import type { Paused } from './recurring.ts'

export interface QueueConfig {
  readonly paused?: Paused | null | undefined
  /** At most this many jobs of the queue are active, over all servers. */
  readonly maxActive?: number | null | undefined
  /** At most this many starts of the queue's jobs, over all servers. A token bucket. */
  readonly rate?: Rate | null | undefined
}

export interface QueuesRoom {
  /** An absent field keeps what is there; null clears it. `Signals.queues` grows. */
  set(queue: string, config: QueueConfig): Promise<void>
}
