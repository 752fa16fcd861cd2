import { setTimeout as pause } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'
import pg from 'pg'
import type { PacemakerData } from './pacemaker.ts'

/*
 * Runs in a thread of its own, so it imports nothing of ours: the driver and a statement are all it needs. A connection
 * that breaks is made anew at the next look.
 *
 * A loop that turns renews the session itself, so long as it comes to it: then a beat now and then is enough. One that
 * stands still is noticed at the next look, and has nobody else.
 */
const { config, text, session, ttl, maxStall, lastTick } = workerData as PacemakerData
const lookEveryMs = Math.max(20, ttl / 12)
const busyEveryMs = ttl / 4
const calmEveryMs = ttl / 2

let client: pg.Client | undefined
let beatAt = performance.now()
for (;;) {
  await pause(lookEveryMs)
  const stalledMs = Date.now() - Number(Atomics.load(lastTick, 0))
  if (stalledMs > maxStall) continue
  const isTurning = stalledMs < ttl / 6
  const now = performance.now()
  if (now - beatAt < (isTurning ? calmEveryMs : busyEveryMs)) continue
  try {
    client ??= await connect()
    await client.query(text, [session])
    beatAt = now
  } catch {
    await client?.end().catch(() => undefined)
    client = undefined
  }
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
