import { type Clock, systemClock } from '../clock.ts'
import type { SynchronousStorage } from '../storage/storage.ts'
import { capabilities } from './capabilities.ts'
import { createJobsRoom } from './jobs.ts'
import { createLocksRoom } from './locks.ts'
import { createMonitorRoom } from './monitor.ts'
import { createQueuesRoom } from './queues.ts'
import { createRecurringRoom } from './recurring.ts'
import { type Rules, rules as soundRules } from './rules.ts'
import { begin, newStore } from './store.ts'
import { createUpkeepRoom } from './upkeep.ts'
import { createWakeupsRoom } from './wakeups.ts'
import { createWorkRoom } from './work.ts'

export type MemoryStorage = SynchronousStorage

export interface MemoryOptions {
  /** Default: the system's clock. */
  readonly clock?: Clock | undefined
  /** Breaks rules that a test wants to see broken. */
  readonly rules?: Partial<Rules> | undefined
}

/**
 * Jobs in the memory of this process, and gone with it: for tests, for tools, and as the model every other storage is
 * compared with. What happens depends on the calls and the clock alone.
 *
 * @example
 * ```ts
 * const storage = memoryStorage()
 * ```
 */
export function memoryStorage(options: MemoryOptions = {}): MemoryStorage {
  const { clock = systemClock, rules = {} } = options
  const store = newStore(clock, { ...soundRules, ...rules })
  const close = async (): Promise<void> => {
    store.closed = true
  }
  return {
    label: 'memory',
    capabilities,
    jobs: createJobsRoom(store),
    work: createWorkRoom(store),
    upkeep: createUpkeepRoom(store),
    recurring: createRecurringRoom(store),
    locks: createLocksRoom(store),
    queues: createQueuesRoom(store),
    monitor: createMonitorRoom(store),
    wakeups: createWakeupsRoom(store),
    start: async () => begin(store),
    close,
    [Symbol.asyncDispose]: close,
  }
}
