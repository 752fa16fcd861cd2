import { setTimeout as pause } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'
import pg from 'pg'
import type { PacemakerData } from './pacemaker.ts'

/*
 * Runs in a thread of its own, so it imports nothing of ours: the driver and a statement are all it needs. A connection
 * that breaks is made anew at the next beat.
 */
const { config, text, session, everyMs, maxStall, lastTick } = workerData as PacemakerData

let client: pg.Client | undefined
for (;;) {
  await pause(everyMs)
  if (Date.now() - Number(Atomics.load(lastTick, 0)) > maxStall) continue
  try {
    client ??= await connect()
    await client.query(text, [session])
  } catch {
    await client?.end().catch(() => undefined)
    client = undefined
  }
}

async function connect(): Promise<pg.Client> {
  const made = new pg.Client({ ...config, connectionTimeoutMillis: everyMs, query_timeout: everyMs, keepAlive: true })
  made.on('error', () => undefined)
  await made.connect()
  return made
}
