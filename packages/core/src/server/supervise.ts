import type { Timer } from '../clock.ts'
import type { ServerCore } from './server-core.ts'

/** A loop that nothing ends but `stop`. */
export interface Process {
  readonly name: string
  health(): ProcessHealth
  /** Work now rather than when it is due. */
  poke(): void
  /** Be back at the latest after so many milliseconds. */
  pokeIn(ms: number): void
  stop(): Promise<void>
}

export interface ProcessHealth {
  readonly ok: boolean
  /** Since its last success. */
  readonly ageMs: number
  readonly error?: string | undefined
}

const longestBackoffMs = 15_000

/** Repeats `work` for ever. It answers how long to wait, or nothing for the usual interval; after an error the waits grow, but never beyond that. */
export function supervise(
  core: ServerCore,
  name: string,
  intervalMs: number,
  work: () => Promise<number | void>,
): Process {
  const { clock, logger } = core
  const ends = new AbortController()
  let okAt = clock.monotonic()
  let error: string | undefined
  let failures = 0
  let endNap: (() => void) | null = null
  let timer: Timer | null = null
  let wakeAt = Infinity
  let poked = false

  const wake = (): void => {
    poked = true
    endNap?.()
  }

  const once = async (): Promise<number> => {
    try {
      const waitMs = (await work()) ?? intervalMs
      if (failures > 0) logger.info(`${name}: works again`, { server: core.name, failures })
      okAt = clock.monotonic()
      error = undefined
      failures = 0
      return waitMs
    } catch (thrown) {
      if (ends.signal.aborted) return 0
      error = thrown instanceof Error ? thrown.message : String(thrown)
      // The first one, then ever more rarely: an outage is one line, not thousands.
      if ((failures & (failures - 1)) === 0)
        logger.warn(`${name}: failed, and is tried again`, { server: core.name, error, failures })
      failures++
      poked = false
      const backoffMs = Math.min(longestBackoffMs, Math.max(intervalMs, 100), 100 * 2 ** Math.min(failures, 10))
      return backoffMs / 2 + (backoffMs / 2) * clock.random()
    }
  }

  const loop = async (): Promise<void> => {
    while (!ends.signal.aborted) {
      poked = false
      const waitMs = Math.min(await once(), Math.max(0, wakeAt - clock.monotonic()))
      wakeAt = Infinity
      if (poked || ends.signal.aborted) continue
      await new Promise<void>((resolve) => {
        endNap = resolve
        timer = clock.timer(waitMs, resolve)
      })
      timer?.cancel()
      endNap = null
    }
  }
  const running = loop()

  return {
    name,
    health: () => ({ ok: error === undefined, ageMs: clock.monotonic() - okAt, error }),
    poke: wake,
    pokeIn(ms) {
      const at = clock.monotonic() + ms
      if (at >= wakeAt) return
      wakeAt = at
      if (endNap !== null) wake()
    },
    async stop() {
      ends.abort()
      endNap?.()
      await running
    },
  }
}
