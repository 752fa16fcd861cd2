import type { Clock } from '../clock.ts'
import type { Ms } from '../storage/job.ts'

/**
 * The clock of this storage: the wall clock, except that it never goes back. When somebody turns the wall clock back,
 * time goes on at its true pace until the wall has caught up, so neither leases nor due times stand still.
 */
export function storageTime(clock: Clock): () => Ms {
  let last = clock.now()
  let turnedBack: { readonly at: Ms; readonly monotonic: Ms } | null = null
  return () => {
    const wall = clock.now()
    if (wall >= last) {
      turnedBack = null
      return (last = wall)
    }
    turnedBack ??= { at: last, monotonic: clock.monotonic() }
    return (last = Math.max(last, Math.floor(turnedBack.at + clock.monotonic() - turnedBack.monotonic)))
  }
}
