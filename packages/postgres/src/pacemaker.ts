import { Worker } from 'node:worker_threads'
import { signsOfLife } from '@q/core/storage'
import type { Pacemaker, SignsOfLife } from '@q/core/storage'
import type { Connections } from './connection.ts'
import { storable } from './payload.ts'

export interface PacemakerOptions {
  readonly ttl: number
  readonly maxStall: number
}

/** What the thread is given. */
export interface PacemakerData {
  readonly config: Record<string, unknown>
  readonly text: string
  readonly session: string
  readonly ttl: number
  readonly maxStall: number
  readonly signs: SignsOfLife['signs']
}

/**
 * Renews a session from a thread and a connection of its own as long as the event loop has ticked within `maxStall`: a
 * handler that blocks the loop for a while does not cost the session, a loop that is stuck for good does.
 */
export function createPacemaker(
  connections: Connections,
  session: string,
  { ttl, maxStall }: PacemakerOptions,
): Pacemaker {
  const { signs, tick } = signsOfLife()
  const data: PacemakerData = {
    config: connections.threadConfig(),
    text: `select ${connections.schema}.heartbeat_v1(array[$1])`,
    session: storable(session),
    ttl,
    maxStall,
    signs,
  }
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const thread = new Worker(new URL(`./pacemaker-thread.${extension}`, import.meta.url), { workerData: data })
  // Without it the session still lives by exchanges and heartbeats of the loop.
  thread.on('error', () => undefined)
  thread.unref()
  return {
    tick,
    async close() {
      await thread.terminate()
    },
  }
}
