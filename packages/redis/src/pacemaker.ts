import { Worker } from 'node:worker_threads'
import { signsOfLife } from '@q/core/storage'
import type { Pacemaker, SignsOfLife, WorkRoom } from '@q/core/storage'
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
  readonly ttl: number
  readonly maxStallMs: number
  readonly signs: SignsOfLife['signs']
}

const isSource: boolean = import.meta.url.endsWith('.ts')
/** Beside this file, written or built. */
const thread: URL = new URL(`./pacemaker-thread.${isSource ? 'ts' : 'js'}`, import.meta.url)

/**
 * Renews a session from a thread with a connection of its own, as long as the loop that is watched ticked lately and does
 * not renew it itself: a busy loop keeps its lease, a dead one loses it.
 */
export function createPacemaker(station: PacemakerStation): Required<Pick<WorkRoom, 'pacemaker'>> | object {
  const address = station.address()
  if (address === null) return {}
  return {
    pacemaker(session: string, { ttl, maxStall }: { readonly ttl: number; readonly maxStall: number }): Pacemaker {
      const { signs, tick } = signsOfLife()
      const data: PacemakerData = {
        address,
        root: station.keys.root,
        session,
        ttl,
        maxStallMs: maxStall,
        signs,
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
