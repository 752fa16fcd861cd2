import type { Ms } from '@q/core/storage'
import { clock } from './clock.ts'
import type { Connection } from './connection.ts'
import { statement } from './statement.ts'

const now = statement<[], { now: number }>(
  () => `select cast(round(unixepoch('now', 'subsec') * 1000) as integer) as now`,
)

/** The host's clock as SQLite reads it: whatever an application does to its own idea of time does not reach it. */
export function readClock(db: Connection): Ms {
  return db.get(now)!.now
}

/**
 * The clock of a storage: the host's, except that it never goes back within a process. When somebody turns it back,
 * time goes on at its true pace until the host has caught up, so neither leases nor due times stand still.
 */
export function storageTime(db: Connection): () => Ms {
  let last = 0
  let turnedBack: { readonly at: Ms; readonly monotonic: Ms } | null = null
  return () => {
    const wall = readClock(db)
    if (wall >= last) {
      turnedBack = null
      return (last = wall)
    }
    turnedBack ??= { at: last, monotonic: clock.monotonic() }
    return (last = Math.max(last, Math.floor(turnedBack.at + clock.monotonic() - turnedBack.monotonic)))
  }
}
