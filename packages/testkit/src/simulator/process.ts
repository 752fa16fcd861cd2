import type { Clock, Timer } from '@q/core/storage'
import type { Random } from '../differential/random.ts'
import type { ManualClock } from '../manual-clock.ts'

/**
 * One process of the fleet: it has a clock of its own, can stand still for a while, and can die without a word. What
 * runs in it hears of the world only through `deliver`.
 */
export class SimulatedProcess {
  readonly name: string
  readonly clock: Clock
  /** How far its wall clock is off; it may jump. */
  skewMs: number
  /** Every timer that code in it has set and that has not fired. */
  timers = 0
  resumedAt: number = -Infinity
  #isDead = false
  #waiting: (() => void)[] | null = null
  readonly #time: ManualClock
  readonly #onDeath: (() => void)[] = []

  constructor(name: string, time: ManualClock, random: Random) {
    this.name = name
    this.#time = time
    this.skewMs = random.int(-5_000, 5_000)
    const bootedAt = time.monotonic() - random.int(0, 1_000_000)
    this.clock = {
      now: () => time.now() + this.skewMs,
      monotonic: () => time.monotonic() - bootedAt,
      timer: (delayMs, fire) => this.#timer(delayMs, fire),
      soon: (fire) => time.soon(() => this.deliver(fire)),
      random: () => random.next(),
      fill: (bytes) => {
        for (let n = 0; n < bytes.length; n++) bytes[n] = random.int(0, 255)
      },
    }
  }

  get isAlive(): boolean {
    return !this.#isDead
  }

  get isPaused(): boolean {
    return this.#waiting !== null
  }

  /** Something reaches the process: at once, late if it stands still, never if it is dead. */
  deliver(event: () => void): void {
    if (this.#isDead) return
    if (this.#waiting === null) event()
    else this.#waiting.push(event)
  }

  /** Its loop stops turning; all that comes meanwhile is met afterwards, in the order it came. */
  pause(ms: number): void {
    if (this.#isDead || this.#waiting !== null) return
    this.#waiting = []
    this.#time.timer(ms, () => this.resume())
  }

  resume(): void {
    const missed = this.#waiting
    if (this.#isDead || missed === null) return
    this.#waiting = null
    this.resumedAt = this.#time.monotonic()
    for (const event of missed) this.#time.soon(() => this.deliver(event))
  }

  crash(): void {
    if (this.#isDead) return
    this.#isDead = true
    for (const tell of this.#onDeath) tell()
  }

  onDeath(tell: () => void): void {
    this.#onDeath.push(tell)
  }

  /** For the work of handlers: not one of the timers that a stopped server must not leave behind. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const timer = this.#time.timer(ms, () => this.deliver(resolve))
      signal?.addEventListener('abort', () => {
        timer.cancel()
        reject(signal.reason)
      })
    })
  }

  #timer(delayMs: number, fire: () => void): Timer {
    let isSet = true
    const end = (): boolean => {
      if (!isSet) return false
      isSet = false
      this.timers--
      return true
    }
    this.timers++
    const timer = this.#time.timer(delayMs, () =>
      this.deliver(() => {
        // It may have been cancelled while the process stood still.
        if (end()) fire()
      }),
    )
    return {
      cancel: () => {
        if (end()) timer.cancel()
      },
    }
  }
}
