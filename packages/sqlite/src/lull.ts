import type { Ms } from '@q/core/storage'
import { clock } from './clock.ts'
import type { Connection } from './connection.ts'

/** What a call found, and until when it would find the same again. */
interface Found {
  readonly value: unknown
  readonly at: Ms
  readonly until: Ms
  /** What tells that somebody has written since: we ourselves, or others. */
  readonly changes: number
  readonly dataVersion: number
  readonly monotonic: number
  readonly wall: number
}

/** What was found, and what time the storage has now. */
export interface Recalled<T> {
  readonly value: T
  readonly now: Ms
}

/** Whatever happens, somebody really looks as often as this. */
const longestMs = 10 * 60_000
/** Our clocks may differ by so much about how long something took, before somebody must have set one of them. */
const tolerableMs = 500
const mostFound = 100

/**
 * What the calls of an idle server have found. As long as nobody writes, they would find the same until an instant that
 * they know: asked again they are answered from here, without a statement.
 */
export class Lull {
  readonly #db: Connection
  readonly #found = new Map<string, Found>()

  constructor(db: Connection) {
    this.#db = db
  }

  /** At the end of a call that changed nothing but leases. What its step changes after all makes this void. */
  keep(
    key: string,
    value: unknown,
    { now, dataVersion }: { readonly now: Ms; readonly dataVersion: number },
    until: Ms = Infinity,
  ): void {
    if (this.#found.size >= mostFound) this.#found.clear()
    this.#found.set(key, {
      value,
      at: now,
      until: Math.min(until, now + longestMs),
      changes: this.#db.changes,
      dataVersion,
      monotonic: clock.monotonic(),
      wall: clock.now(),
    })
  }

  /** Nothing when somebody has written, when its time is over, or when it is not certain what time it is. */
  recall<T>(key: string): Recalled<T> | undefined {
    const found = this.#found.get(key)
    if (found === undefined) return undefined
    const tookMs = clock.monotonic() - found.monotonic
    const now = found.at + Math.floor(tookMs)
    const isSteady = Math.abs(clock.now() - found.wall - tookMs) < tolerableMs
    if (
      isSteady &&
      now < found.until &&
      found.changes === this.#db.changes &&
      found.dataVersion === this.#db.dataVersion()
    )
      return { value: found.value as T, now }
    this.#found.delete(key)
    return undefined
  }

  forget(): void {
    this.#found.clear()
  }
}
