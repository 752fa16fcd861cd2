import { QError } from '../errors.ts'
import { dayMs, firstDayOf, toCalendarDate } from './calendar.ts'
import { excerpt } from './excerpt.ts'

/**
 * A stretch of time in which a zone's clocks run without being changed. Local times are written as if they were UTC
 * milliseconds: `instant + offsetMs`.
 */
export interface ClockSpan {
  /** Its first instant. */
  readonly startAt: number
  /** The first instant of the next span. */
  readonly endAt: number
  readonly offsetMs: number
  /** The offset just before `startAt`: smaller at a gap, larger at an overlap, the same where only a year begins. */
  readonly offsetBeforeMs: number
}

export interface TimeZone {
  readonly name: string
  /** Offset changes are found once per year and kept. */
  spanAt(instantMs: number): ClockSpan
}

/** Zones are few and shared by all schedules; the key is folded, so that spellings cannot fill the map. */
const known = new Map<string, TimeZone>()

/** The zone of an IANA name, or a refusal naming the option. Offsets such as `+02:00` know no daylight saving and are refused. */
export function findTimeZone(name: string, option = 'timeZone'): TimeZone {
  if (typeof name !== 'string') refuse(option, String(name), 'it is not a text')
  if (/^(?:UTC|GMT)?[+-]\d/i.test(name)) refuse(option, name, 'an offset is not a zone')
  if (name.length > 64 || !/^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/.test(name)) {
    refuse(option, name, 'it is not the name of a zone')
  }
  const key = name.toLowerCase()
  let zone = known.get(key)
  if (zone === undefined) {
    zone = openTimeZone(name, option)
    known.set(key, zone)
  }
  return zone
}

function openTimeZone(name: string, option: string): TimeZone {
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset', hour: 'numeric' })
  } catch (cause) {
    return refuse(option, name, 'no such zone is known here', cause)
  }
  if (format.resolvedOptions().timeZone === 'UTC') return utc
  const years = new Map<number, readonly ClockSpan[]>()
  return {
    name,
    spanAt(instantMs) {
      const { year } = toCalendarDate(Math.floor(instantMs / dayMs))
      let spans = years.get(year)
      if (spans === undefined) {
        // No schedule needs this many at once: somebody is asking for arbitrary dates.
        if (years.size >= 1000) years.clear()
        spans = findSpans(year, (at) => readOffset(format, at))
        years.set(year, spans)
      }
      return spans.find((span) => instantMs < span.endAt)!
    },
  }
}

const utcSpan: ClockSpan = { startAt: -Infinity, endAt: Infinity, offsetMs: 0, offsetBeforeMs: 0 }
const utc: TimeZone = { name: 'UTC', spanAt: () => utcSpan }

/** Two changes of a clock that undo each other have never been closer than this since 1900, and usually are months apart. */
const probeMs = 3 * dayMs

function findSpans(year: number, offsetAt: (instantMs: number) => number): readonly ClockSpan[] {
  const yearEndAt = firstDayOf(year + 1, 1) * dayMs
  const spans: ClockSpan[] = []
  let startAt = firstDayOf(year, 1) * dayMs
  let offsetBeforeMs = offsetAt(startAt - 1000)
  let offsetMs = offsetAt(startAt)
  let sameUntil = startAt
  while (sameUntil < yearEndAt - 1000) {
    const probe = Math.min(sameUntil + probeMs, yearEndAt - 1000)
    if (offsetAt(probe) === offsetMs) {
      sameUntil = probe
      continue
    }
    const changeAt = findChange(sameUntil, probe, (at) => offsetAt(at) === offsetMs)
    spans.push({ startAt, endAt: changeAt, offsetMs, offsetBeforeMs })
    startAt = sameUntil = changeAt
    offsetBeforeMs = offsetMs
    offsetMs = offsetAt(changeAt)
  }
  spans.push({ startAt, endAt: yearEndAt, offsetMs, offsetBeforeMs })
  return spans
}

/** The first whole second at which the offset is another one; clocks are never changed within a second. */
function findChange(sameAt: number, changedAt: number, isSame: (instantMs: number) => boolean): number {
  let low = sameAt / 1000
  let high = changedAt / 1000
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (isSame(middle * 1000)) low = middle
    else high = middle
  }
  return high * 1000
}

/** Reads `GMT`, `GMT+02:00` or, of times before standard time, `GMT+00:53:28`. */
function readOffset(format: Intl.DateTimeFormat, instantMs: number): number {
  const [, sign, hours, minutes, seconds] = /GMT(?:([+-])(\d+):(\d+)(?::(\d+))?)?$/.exec(format.format(instantMs)) ?? []
  const ms = Number(hours ?? 0) * 3_600_000 + Number(minutes ?? 0) * 60_000 + Number(seconds ?? 0) * 1000
  return sign === '-' ? -ms : ms
}

function refuse(option: string, name: string, reason: string, cause?: unknown): never {
  throw new QError(
    'Q_OPTION_INVALID',
    `"${option}" cannot be "${excerpt(name)}": ${reason}. Give an IANA name such as 'Europe/Berlin' or 'UTC'.`,
    { cause },
  )
}
