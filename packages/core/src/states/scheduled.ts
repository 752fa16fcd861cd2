import type { Duration } from '../schedule/duration.ts'
import { parseDuration } from '../schedule/duration.ts'
import { type Instant, parseInstant } from '../schedule/instant.ts'
import type { StateDefinition } from './state.ts'

/** Waits until it is due, then becomes enqueued. */
export interface Scheduled {
  readonly name: 'scheduled'
  readonly reason?: string | undefined
  /** From the moment the storage enters the state. Needs no shared clock, so it is what everything but a wall-clock time should use. */
  readonly delayMs?: number | undefined
  readonly at?: Date | undefined
}

/** When something is due: after a while, or at an instant. */
export type When =
  | { readonly in: Duration; readonly at?: undefined }
  | { readonly at: Instant; readonly in?: undefined }

export function scheduled(when: When | Date, reason?: string): Scheduled {
  if (when instanceof Date) return { name: 'scheduled', reason, at: new Date(parseInstant(when, 'at')) }
  return when.at === undefined
    ? { name: 'scheduled', reason, delayMs: parseDuration(when.in, 'in') }
    : { name: 'scheduled', reason, at: new Date(parseInstant(when.at, 'at')) }
}

export const scheduledState: StateDefinition<'scheduled'> = {
  name: 'scheduled',
  phase: 'scheduled',
  toTransition: (state) => (state.at === undefined ? { delay: state.delayMs ?? 0 } : { at: state.at.getTime() }),
}
