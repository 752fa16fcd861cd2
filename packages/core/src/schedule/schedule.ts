import { QError } from '../errors.ts'
import { type Cron, type DayMatch, parseCron } from './cron.ts'
import { nextCronOccurrence } from './cron-occurrence.ts'
import { type Duration, parseDuration } from './duration.ts'
import { excerpt } from './excerpt.ts'
import { type Instant, lastInstantMs, parseInstant } from './instant.ts'
import { findTimeZone, type TimeZone } from './time-zone.ts'

/** When something recurs: by the calendar of a zone, or at equal distances of time. */
export type Schedule = CronSchedule | IntervalSchedule

export interface CronSchedule {
  /** Five fields, six with seconds first, or a macro such as `@daily`. */
  readonly cron: string
  /** An IANA name. Default `'UTC'`. */
  readonly timeZone?: string | undefined
  /** How two restricted day fields go together. Default `'or'`: either matches. */
  readonly dayMatch?: DayMatch | undefined
  readonly every?: undefined
  readonly anchor?: undefined
}

export interface IntervalSchedule {
  /** The distance between two occurrences, at least 100 ms. A day is 24 hours, whatever the clocks do. */
  readonly every: Duration
  /**
   * One of the occurrences; the others are counted from it, before and after. Default 1970-01-01T00:00Z, so that
   * `'15m'` falls on the quarters of the hour and all servers agree.
   */
  readonly anchor?: Instant | undefined
  readonly cron?: undefined
  readonly timeZone?: undefined
  readonly dayMatch?: undefined
}

export type ParsedSchedule =
  | { readonly kind: 'cron'; readonly cron: Cron; readonly zone: TimeZone }
  | { readonly kind: 'interval'; readonly everyMs: number; readonly anchorMs: number }

const shortestIntervalMs = 100
const optionNames: readonly string[] = ['cron', 'timeZone', 'dayMatch', 'every', 'anchor']

/** Reads and validates a schedule; refuses with `Q_CRON_INVALID` or `Q_OPTION_INVALID`. */
export function parseSchedule(schedule: Schedule): ParsedSchedule {
  if (typeof schedule !== 'object' || schedule === null) refuse('it is not an object')
  // A misspelt "timezone" would silently mean UTC.
  const stranger = Object.keys(schedule).find((name) => !optionNames.includes(name))
  if (stranger !== undefined) refuse(`it has no option "${excerpt(stranger)}"`)
  if ((schedule.cron === undefined) === (schedule.every === undefined)) refuse('it needs exactly one of both')
  if (schedule.every !== undefined) {
    if (schedule.timeZone !== undefined) refuse('"timeZone" goes with "cron"; an interval is the same in every zone')
    if (schedule.dayMatch !== undefined) refuse('"dayMatch" goes with "cron"')
    const everyMs = parseDuration(schedule.every, { option: 'every', minMs: shortestIntervalMs })
    const anchorMs = schedule.anchor === undefined ? 0 : parseInstant(schedule.anchor, 'anchor')
    return { kind: 'interval', everyMs, anchorMs }
  }
  if (schedule.anchor !== undefined) refuse('"anchor" goes with "every"')
  return {
    kind: 'cron',
    cron: parseCron(schedule.cron, schedule.dayMatch),
    zone: findTimeZone(schedule.timeZone ?? 'UTC'),
  }
}

function refuse(reason: string): never {
  throw new QError(
    'Q_OPTION_INVALID',
    `A schedule is { cron, timeZone?, dayMatch? } or { every, anchor? }; this one is refused: ${reason}.`,
  )
}

/** The first occurrence strictly after an instant, in milliseconds; null = nothing comes. */
export function nextAfter(schedule: ParsedSchedule, instantMs: number): number | null {
  if (schedule.kind === 'cron') return nextCronOccurrence(schedule.cron, schedule.zone, instantMs)
  const { everyMs, anchorMs } = schedule
  const at = anchorMs + (Math.floor((instantMs - anchorMs) / everyMs) + 1) * everyMs
  return Math.abs(at) <= lastInstantMs ? at : null
}

/**
 * The first occurrence after `nowMs`, for putting a schedule: one that has none in its zone is refused. (A repeating
 * expression may name only local times that its zone skips.) Later, when a schedule runs dry, `nextAfter` says null.
 */
export function firstAfter(schedule: ParsedSchedule, nowMs: number): number {
  const at = nextAfter(schedule, nowMs)
  if (at !== null) return at
  if (schedule.kind === 'interval') return refuse('its next occurrence is beyond the last date there is')
  throw new QError(
    'Q_CRON_INVALID',
    `The cron expression never matches in ${schedule.zone.name}: the clock skips the hour field ` +
      `"${schedule.cron.hour.text}" on all the days it names.`,
  )
}
