import type { Signals } from '../../storage/work.ts'
import type { ServerCore } from '../server-core.ts'
import type { ServerSession } from '../session.ts'
import type { Process } from '../supervise.ts'
import { supervise } from '../supervise.ts'

export interface HeartbeatEvents {
  onSignals(signals: Signals): void
  /** The storage says the session is gone, or nobody could prove for too long that it is not. */
  onLost(reason: string): void
}

/**
 * Renews the lease when no other call has done so for a whole interval: the looks of an idle worker are more frequent than
 * that. It has a connection of its own, so a stalled call does not starve it.
 */
export function startHeartbeat(core: ServerCore, session: ServerSession, events: HeartbeatEvents): Process {
  const { clock, storage, heartbeatMs } = core
  const lookEveryMs = heartbeatMs / 4
  return supervise(core, 'heartbeat', lookEveryMs, async () => {
    session.tick()
    const dueInMs = heartbeatMs - session.silentMs()
    if (!session.isOpen) return lookEveryMs
    if (dueInMs > 0) return Math.min(lookEveryMs, dueInMs)
    const { id } = session
    const sentAt = clock.monotonic()
    const [answer] = await storage.work.heartbeat([id])
    if (session.id !== id) return lookEveryMs
    if (!answer!.alive) {
      events.onLost('the storage recovered it')
      return lookEveryMs
    }
    session.proven(sentAt)
    events.onSignals(answer!.signals)
    return lookEveryMs
  })
}

/**
 * Gives the claims up before the storage may give them to others: a stale lease is treated as lost. Who was merely stalled
 * asks once more first.
 */
export function startFence(
  core: ServerCore,
  session: ServerSession,
  heartbeat: Process,
  events: HeartbeatEvents,
): Process {
  const { clock, ttlMs } = core
  let askedAt: number | null = null
  return supervise(core, 'fence', ttlMs / 12, () => {
    const silentMs = session.silentMs()
    if (!session.isOpen || silentMs < ttlMs * 0.6) {
      askedAt = null
    } else if (askedAt === null) {
      askedAt = clock.monotonic()
      heartbeat.poke()
    } else if (session.isStale() && clock.monotonic() - askedAt >= ttlMs / 12) {
      askedAt = null
      events.onLost(`nobody confirmed it for ${Math.round(silentMs)} ms`)
    }
    return Promise.resolve()
  })
}
