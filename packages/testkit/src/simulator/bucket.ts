import type { Rate } from '@q/core/storage'

/** A token bucket, counted as the contract says it: `max` at once, refilled evenly over `per`. */
export class Bucket {
  #tokens: number
  #at: number
  readonly #rate: Rate

  constructor(rate: Rate, now: number) {
    this.#rate = rate
    this.#tokens = rate.max
    this.#at = now
  }

  /** False when there was none. */
  take(now: number): boolean {
    const { max, per } = this.#rate
    this.#tokens = Math.min(max, this.#tokens + ((now - this.#at) * max) / per)
    this.#at = now
    // Instants are whole milliseconds, so a token may be a rounding early.
    if (this.#tokens < 1 - max / per) return false
    this.#tokens--
    return true
  }
}
