import { randomFillSync } from 'node:crypto'

/**
 * Everything that differs from one run to the next: time, timers and randomness. All of core is given one, so that a
 * whole fleet can run in a seeded simulator. This file is the only one that asks the platform.
 */
export interface Clock {
  /** Wall-clock milliseconds. For display and for the ids we make; never for leases or due times. */
  now(): number
  /** Milliseconds that never jump, from an arbitrary start. For durations and self-fencing. */
  monotonic(): number
  /** Calls `fire` once after `delayMs`, however long that is. */
  timer(delayMs: number, fire: () => void, options?: { readonly unref?: boolean }): Timer
  /** Calls `fire` when the present turn of the event loop is over: after all that is ready to run has run. */
  soon(fire: () => void): void
  /** At least 0, less than 1. */
  random(): number
  /** Fills with random bytes. */
  fill(bytes: Uint8Array): void
}

export interface Timer {
  cancel(): void
}

/** setTimeout fires at once for anything longer: longer waits are walked in steps. */
const longestStepMs = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  timer(delayMs, fire, options) {
    const dueAt = performance.now() + (Number.isFinite(delayMs) ? Math.max(0, delayMs) : 0)
    let handle: NodeJS.Timeout
    const step = (): void => {
      const leftMs = dueAt - performance.now()
      if (leftMs <= 0) return fire()
      handle = setTimeout(leftMs > longestStepMs ? step : fire, Math.min(leftMs, longestStepMs))
      if (options?.unref) handle.unref()
    }
    // Node counts whole milliseconds from the start of its turn: without one more it would come early, and twice.
    handle = setTimeout(step, Math.min(Math.ceil(Math.max(0, dueAt - performance.now())) + 1, longestStepMs))
    if (options?.unref) handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
  soon: (fire) => void setImmediate(fire),
  random: () => Math.random(),
  fill: (bytes) => void randomFillSync(bytes),
}

/** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = (): void => {
      timer.cancel()
      reject(signal?.reason)
    }
    const timer = clock.timer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
