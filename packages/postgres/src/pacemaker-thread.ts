import { setTimeout as pause } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'
import pg from 'pg'
import type { PacemakerData } from './pacemaker.ts'

/*
 * Runs in a thread of its own, so it imports nothing of ours: the driver and a statement are all it needs. A connection
 * that breaks is made anew at the next look.
 *
 * A loop that turns renews the session itself, so long as its calls are answered: what it has renewed needs no beat. One
 * that stands still is noticed at the next look, and has nobody else.
 */
const { config, text, session, ttl, maxStall, signs } = workerData as PacemakerData
const lookEveryMs = Math.max(20, ttl / 12)
const busyEveryMs = ttl / 4
const calmEveryMs = ttl * 0.4

let client: pg.Client | undefined
let beatAt = clockMs()
for (;;) {
  await pause(lookEveryMs)
  const now = clockMs()
  const [tickedAt, renewedAt] = [Number(Atomics.load(signs, 0)), Number(Atomics.load(signs, 1))]
  const stalledMs = now - tickedAt
  if (stalledMs > maxStall) continue
  const isTurning = stalledMs < ttl / 6
  if (now - Math.max(beatAt, renewedAt) < (isTurning ? calmEveryMs : busyEveryMs)) continue
  try {
    client ??= await connect()
    await client.query(text, [session])
    beatAt = now
  } catch {
    await client?.end().catch(() => undefined)
    client = undefined
  }
}

/** The same in all threads of the process. */
function clockMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n)
}

async function connect(): Promise<pg.Client> {
  const made = new pg.Client({
    ...config,
    connectionTimeoutMillis: busyEveryMs,
    query_timeout: busyEveryMs,
    keepAlive: true,
  })
  made.on('error', () => undefined)
  await made.connect()
  return made
}
