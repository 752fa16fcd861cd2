import type { Clock } from '@q/core/storage'
import { systemClock } from '@q/core/storage'

/** Timers, pauses and durations of this process. What time it is, is SQLite's to say: see `storage-time.ts`. */
export const clock: Clock = systemClock
