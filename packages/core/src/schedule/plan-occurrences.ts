import { nextAfter, type ParsedSchedule } from './schedule.ts'

/** What becomes of missed occurrences: the latest one runs, each runs, or none. */
export type Misfire = 'once' | 'all' | 'skip'

export interface OccurrencesDue {
  readonly schedule: ParsedSchedule
  readonly misfire: Misfire
  /** The first occurrence that is not yet decided, as it was stored; null = none. */
  readonly nextAt: number | null
  /** The storage's clock. */
  readonly now: number
  /** While paused nothing is due, and afterwards nothing of that time is missed. */
  readonly paused?: { readonly at: number; readonly until?: number | undefined } | undefined
}

export interface OccurrencePlan {
  /** The occurrences to create now, oldest first. */
  readonly occurrences: readonly number[]
  /** The first occurrence left undecided; null = none. It may be due already when there were too many for one tick. */
  readonly nextAt: number | null
}

/** An occurrence is missed when it is more than a minute late. */
const missedAfterMs = 60_000
const mostPerTick = 1000

/** Decides which occurrences a tick creates, and where the schedule stands afterwards. */
export function planOccurrences({ schedule, misfire, nextAt, now, paused }: OccurrencesDue): OccurrencePlan {
  if (nextAt === null) return { occurrences: [], nextAt: null }
  const pausedFrom = paused?.at ?? Infinity
  const pausedUntil = paused === undefined ? -Infinity : (paused.until ?? Infinity)
  if (pausedFrom <= now && now < pausedUntil) {
    return {
      occurrences: [],
      nextAt: firstFrom(schedule, nextAt, Number.isFinite(pausedUntil) ? pausedUntil : now + 1),
    }
  }
  const isPaused = (at: number): boolean => pausedFrom <= at && at < pausedUntil
  const afterPause = (at: number): number | null => (isPaused(at) ? firstFrom(schedule, at, pausedUntil) : at)

  const occurrences: number[] = []
  let at = afterPause(nextAt)
  if (misfire !== 'all' && at !== null && at < now - missedAfterMs) {
    const onTimeFrom = now - missedAfterMs
    if (misfire === 'once') {
      let latest = lastBefore(schedule, at, onTimeFrom)
      // The latest one may fall into a pause that has ended since: then the last before the pause was missed, if any.
      if (isPaused(latest)) latest = lastBefore(schedule, at, pausedFrom)
      occurrences.push(latest)
    }
    at = firstFrom(schedule, at, onTimeFrom)
    if (at !== null) at = afterPause(at)
  }
  while (at !== null && at <= now && occurrences.length < mostPerTick) {
    occurrences.push(at)
    at = nextAfter(schedule, at)
    if (at !== null) at = afterPause(at)
  }
  return { occurrences, nextAt: at }
}

/** `at`, or where that is earlier than `fromMs` the first occurrence from then on. */
function firstFrom(schedule: ParsedSchedule, at: number, fromMs: number): number | null {
  return at >= fromMs ? at : nextAfter(schedule, fromMs - 1)
}

/** The last occurrence before `beforeMs`, from the occurrence `at` on. Halves the time rather than walk a year of seconds. */
function lastBefore(schedule: ParsedSchedule, at: number, beforeMs: number): number {
  let latest = at
  let high = beforeMs - 1
  while (latest < high) {
    const middle = Math.floor((latest + high) / 2)
    const next = nextAfter(schedule, middle)
    if (next !== null && next < beforeMs) latest = next
    else high = middle
  }
  return latest
}
