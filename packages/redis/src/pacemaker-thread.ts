import { workerData } from 'node:worker_threads'
import { fingerprintOf } from './codec/layout.ts'
import { Connection } from './connection.ts'
import { heartbeat } from './scripts/sessions.ts'
import type { PacemakerData } from './pacemaker.ts'

const { address, root, session, ttl, maxStallMs, signs } = workerData as PacemakerData
const lookEveryMs = Math.max(10, ttl / 12)
/** A loop that turns has its own calls, and is waited for a little longer than those may take. */
const busyEveryMs = ttl / 4
const calmEveryMs = ttl * 0.4
const sessions = [{ id: session, fp: fingerprintOf(session) }]

let connection: Connection | undefined
let beatAt = clockMs()

setInterval(() => {
  const now = clockMs()
  const [tickedAt, renewedAt] = [Number(Atomics.load(signs, 0)), Number(Atomics.load(signs, 1))]
  const stalledMs = now - tickedAt
  if (stalledMs > maxStallMs) return
  const isTurning = stalledMs < ttl / 6
  if (now - Math.max(beatAt, renewedAt) < (isTurning ? calmEveryMs : busyEveryMs)) return
  beatAt = now
  connection ??= new Connection(address, 'pacemaker', root)
  // A beat that is lost is made good at the next look.
  connection.run(heartbeat, { sessions }).catch(() => (beatAt = 0))
}, lookEveryMs)

/** The same in all threads of the process. */
function clockMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n)
}
