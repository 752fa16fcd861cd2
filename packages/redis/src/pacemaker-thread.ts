import { workerData } from 'node:worker_threads'
import { fingerprintOf } from './codec.ts'
import { Connection } from './connection.ts'
import { heartbeat } from './scripts/sessions.ts'
import type { PacemakerData } from './pacemaker.ts'

const { address, root, session, everyMs, maxStallMs, lastTick } = workerData as PacemakerData
const ticks = new BigInt64Array(lastTick)
const connection = new Connection(address, 'pacemaker', root)
const sessions = [{ id: session, fp: fingerprintOf(session) }]

function beat(): void {
  const stalledMs = Number(process.hrtime.bigint() - Atomics.load(ticks, 0)) / 1e6
  if (stalledMs > maxStallMs) return
  // A beat that is lost is made good by the next one.
  connection.run(heartbeat, { sessions }).catch(() => undefined)
}

beat()
setInterval(beat, everyMs)
