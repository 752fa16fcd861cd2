import type { Clock, Timer } from '@q/core/storage'
import { Random } from './differential/random.ts'
import { TimerHeap } from './timer-heap.ts'

/**
 * A clock that stands still until it is told to move. Timers fire in the order in which they are due, and what one of
 * them starts has run before the next one fires. Its randomness comes from a seed, so equal programs run equally.
 *
 * @example
 * const clock = new ManualClock('2027-03-28T00:00:00Z')
 * await clock.advance(60_000)
 */
export class ManualClock implements Clock {
  #now: number
  readonly #startedAt: number
  readonly #random: Random
  readonly #timers = new TimerHeap()

  constructor(now: string | number | Date = '2026-01-01T00:00:00Z', seed = 1) {
    this.#now = new Date(now).getTime()
    if (Number.isNaN(this.#now))
      throw new RangeError(`"${String(now)}" is no instant: give a Date, milliseconds or ISO 8601.`)
    this.#startedAt = this.#now
    this.#random = new Random(seed)
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now - this.#startedAt
  }

  timer(delayMs: number, fire: () => void): Timer {
    // Whole milliseconds, so that what is due at an instant happens at that instant.
    return this.#timers.add(this.#now + Math.ceil(Math.max(0, delayMs || 0)), fire)
  }

  soon(fire: () => void): void {
    this.#timers.add(this.#now, fire)
  }

  random(): number {
    return this.#random.next()
  }

  fill(bytes: Uint8Array): void {
    for (let n = 0; n < bytes.length; n++) bytes[n] = this.#random.int(0, 255)
  }

  /** How far off the next timer is; undefined when none is set. */
  get nextInMs(): number | undefined {
    const next = this.#timers.peek()
    return next === undefined ? undefined : Math.max(0, next.at - this.#now)
  }

  /** Moves on by so many milliseconds, and fires what falls due on the way. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + Math.round(ms)
    while ((this.nextInMs ?? Infinity) <= until - this.#now) await this.step()
    this.#now = Math.max(this.#now, until)
  }

  /** Moves on to the next timer, fires it, and lets everything run that this has started. */
  async step(): Promise<void> {
    const next = this.#timers.take()
    if (next === undefined) return
    this.#now = Math.max(this.#now, next.at)
    next.fire()
    await settled()
  }
}

/** Resolves when all that is ready to run has run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
