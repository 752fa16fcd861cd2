import type { Duration } from '../schedule/duration.ts'

const outcome: unique symbol = Symbol.for('@q/core.outcome') as never

/** What a handler may return instead of a result, to choose how its run ends. A throw means failure. */
export type Outcome = Snooze | CancelJob | Reject

export interface Snooze {
  readonly [outcome]: 'snooze'
  readonly delay: Duration
  readonly reason?: string | undefined
}

export interface CancelJob {
  readonly [outcome]: 'cancel'
  readonly reason: string
}

export interface Reject {
  readonly [outcome]: 'reject'
  readonly error: unknown
}

/** Not now: run again after `delay`. The attempt is not counted. */
export function snooze(delay: Duration, reason?: string): Snooze {
  return { [outcome]: 'snooze', delay, reason }
}

/** Not any more: the job ends as deleted, with this reason. */
export function cancelJob(reason: string): CancelJob {
  return { [outcome]: 'cancel', reason }
}

/** Never: the job fails without another retry. */
export function reject(error: unknown): Reject {
  return { [outcome]: 'reject', error }
}

export function outcomeOf(value: unknown): Outcome | null {
  return typeof value === 'object' && value !== null && outcome in value ? (value as Outcome) : null
}

export function kindOf(value: Outcome): 'snooze' | 'cancel' | 'reject' {
  return value[outcome]
}
