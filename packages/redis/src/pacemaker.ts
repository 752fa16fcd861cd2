import { Worker } from 'node:worker_threads'
import type { Pacemaker, WorkRoom } from '@q/core/storage'
import type { Address } from './connection.ts'
import type { Keys } from './keys.ts'

export interface PacemakerStation {
  /** Null where the address cannot be given to a thread. */
  address(): Address | null
  readonly keys: Keys
}

/** What the thread is started with. */
export interface PacemakerData {
  readonly address: Address
  readonly root: string
  readonly session: string
  readonly everyMs: number
  readonly maxStallMs: number
  /** Milliseconds on the thread's clock are read from here: the last sign of life of the loop that is watched. */
  readonly lastTick: SharedArrayBuffer
}

const isSource: boolean = import.meta.url.endsWith('.ts')
/** Beside this file, written or built. */
const thread: URL = new URL(`./pacemaker-thread.${isSource ? 'ts' : 'js'}`, import.meta.url)

/**
 * Renews a session from a thread with a connection of its own, as long as the loop that is watched ticked lately: a busy
 * loop keeps its lease, a dead one loses it.
 */
export function createPacemaker(station: PacemakerStation): Required<Pick<WorkRoom, 'pacemaker'>> | object {
  const address = station.address()
  if (address === null) return {}
  return {
    pacemaker(session: string, { ttl, maxStall }: { readonly ttl: number; readonly maxStall: number }): Pacemaker {
      const lastTick = new SharedArrayBuffer(8)
      const ticks = new BigInt64Array(lastTick)
      const tick = (): void => void Atomics.store(ticks, 0, process.hrtime.bigint())
      tick()
      const data: PacemakerData = {
        address,
        root: station.keys.root,
        session,
        everyMs: Math.max(10, ttl / 4),
        maxStallMs: maxStall,
        lastTick,
      }
      const worker = new Worker(thread, {
        workerData: data,
        ...(isSource ? { execArgv: ['--conditions=@q/source'] } : {}),
      })
      worker.unref()
      // Without the thread the session still lives by its heartbeats.
      worker.on('error', () => undefined)
      return {
        tick,
        async close() {
          await worker.terminate()
        },
      }
    },
  }
}
