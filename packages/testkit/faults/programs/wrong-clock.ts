import { shiftClock } from '../../src/faults/shift-clock.ts'
import type { Plan } from './plan.ts'

const jumpEveryMs = 300

/** This process believes in another hour; one that jumps changes its mind, forth and back. */
export function startWrongClock({ shiftMs, jumps }: NonNullable<Plan['clock']>): void {
  let putRight = shiftClock(shiftMs)
  if (!jumps) return
  let sign = 1
  setInterval(() => {
    putRight()
    sign = -sign
    putRight = shiftClock(sign * shiftMs)
  }, jumpEveryMs).unref()
}
