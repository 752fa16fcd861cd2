import { QError } from '../errors.ts'
import { checkQueueName } from '../jobs/name.ts'
import type { Duration } from '../schedule/duration.ts'
import { parseDuration } from '../schedule/duration.ts'
import type { Instant } from '../schedule/instant.ts'
import { parseInstant } from '../schedule/instant.ts'
import { cleanText } from '../states/encode-state.ts'
import { persist } from '../storage-calls/persist.ts'
import type { QueueConfig } from '../storage/queues.ts'
import type { ClientCore } from './client-core.ts'
import { storageNow } from './storage-now.ts'

export interface PauseOptions {
  /** The pause ends by itself at this instant. */
  readonly until?: Instant | undefined
  readonly reason?: string | undefined
  readonly by?: string | undefined
}

export interface QueueSettings {
  /** At most this many jobs of the queue run at once, over all servers; null = no limit. */
  readonly maxActive?: number | null | undefined
  /** At most this many starts per period, over all servers; null = no limit. */
  readonly rate?: { readonly limit: number; readonly per: Duration } | null | undefined
}

export interface Queues {
  /** No job of the queue is started any more; what runs goes on. */
  pause(queue: string, options?: PauseOptions): Promise<void>
  resume(queue: string): Promise<void>
  set(queue: string, settings: QueueSettings): Promise<void>
  list(): Promise<readonly ({ readonly name: string } & QueueConfig)[]>
}

export function createQueues(core: ClientCore): Queues {
  const set = async (queue: string, config: QueueConfig): Promise<void> => {
    checkQueueName(queue)
    await persist(core.clock, core.deadlineMs, () => core.storage.queues.set(queue, config))
  }
  return {
    async pause(queue, { until, reason, by } = {}) {
      const at = await storageNow(core)
      await set(queue, {
        paused: {
          at,
          by: by ?? core.by,
          reason: reason === undefined ? undefined : cleanText(reason),
          until: until === undefined ? undefined : parseInstant(until, 'until'),
        },
      })
    },
    resume: (queue) => set(queue, { paused: null }),
    async set(queue, { maxActive, rate }) {
      if (typeof maxActive === 'number') checkCount('maxActive', maxActive, queue)
      if (rate) checkCount('rate.limit', rate.limit, queue)
      await set(queue, {
        maxActive,
        rate: rate ? { max: rate.limit, per: parseDuration(rate.per, { option: 'rate.per', minMs: 1 }) } : rate,
      })
    },
    list: () => core.storage.monitor.queues(),
  }
}

function checkCount(option: string, value: number, queue: string): void {
  if (Number.isInteger(value) && value >= 1) return
  throw new QError(
    'Q_OPTION_INVALID',
    `"${option}" of queue "${queue}" is ${value}; it must be a whole number from 1, or null for no limit. To stop a queue, pause it.`,
  )
}
