import { type Phase, phases } from '@q/core/storage'

/** Phases are stored as their place in this list. */
export const phase: Readonly<Record<Phase, number>> = {
  awaiting: 0,
  scheduled: 1,
  ready: 2,
  active: 3,
  parked: 4,
  succeeded: 5,
  failed: 6,
  deleted: 7,
}

export function phaseOf(stored: number): Phase {
  const name = phases[stored]
  if (name === undefined) throw new TypeError(`${stored} is not a stored phase`)
  return name
}
