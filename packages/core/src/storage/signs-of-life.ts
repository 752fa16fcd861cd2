import type { Ms } from './job.ts'
import type { Pacemaker } from './work.ts'

export interface SignsOfLife {
  /**
   * When the loop last turned, and when it last sent what has renewed the session: in milliseconds of `process.hrtime`,
   * which all threads share.
   */
  readonly signs: BigInt64Array
  readonly tick: Pacemaker['tick']
}

/** What a pacemaker's thread sees of the event loop it stands in for: shared memory, since a loop that is stuck sends nothing. */
export function signsOfLife(): SignsOfLife {
  const signs = new BigInt64Array(new SharedArrayBuffer(16))
  const tick = (renewedMs: Ms = Infinity): void => {
    const now = process.hrtime.bigint() / 1_000_000n
    Atomics.store(signs, 0, now)
    if (renewedMs !== Infinity) Atomics.store(signs, 1, now - BigInt(Math.round(renewedMs)))
  }
  tick()
  return { signs, tick }
}
