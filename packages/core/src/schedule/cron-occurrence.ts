import { dayMs, firstDayOf, toCalendarDate } from './calendar.ts'
import { type Cron, daysOfMonth } from './cron.ts'
import type { ClockSpan, TimeZone } from './time-zone.ts'

/** A leap day on a given weekday is at most 40 years away; in a gap of the clock it may fail once more. */
const horizonMs = 100 * 366 * dayMs
/** A little before the end of what a `Date` can say. */
const farthestMs = 8_600_000_000_000_000

/**
 * The first instant after `afterMs` at which the expression is due in the zone, or null if it has none.
 *
 * Local times that do not exist, or exist twice, are settled span by span. A repeating expression sees the clock as it
 * runs. A fixed-time one is counted by the clock as it ran before each change: at a gap its span begins with the skipped
 * times, all due at its first instant; at an overlap it begins where the first pass ended.
 */
export function nextCronOccurrence(cron: Cron, zone: TimeZone, afterMs: number): number | null {
  if (!(Math.abs(afterMs) <= farthestMs)) return null
  const firstLocal = (span: ClockSpan): number =>
    span.startAt + (cron.isRepeating ? span.offsetMs : span.offsetBeforeMs)
  let span = zone.spanAt(afterMs)
  let from = Math.max(Math.floor((afterMs + span.offsetMs) / 1000) * 1000 + 1000, firstLocal(span))
  let searchedFrom = Infinity
  let match = -Infinity
  for (;;) {
    // The clock was set back to before the last search, or ahead past its result.
    if (from < searchedFrom || from > match) {
      match = nextLocalMatch(cron, from)
      searchedFrom = from
    }
    if (match < span.endAt + span.offsetMs) return Math.max(match - span.offsetMs, span.startAt)
    if (span.endAt > afterMs + horizonMs) return null
    span = zone.spanAt(span.endAt)
    from = firstLocal(span)
  }
}

/** The first matching local time at or after `localMs`, on a calendar without clock changes. */
function nextLocalMatch(cron: Cron, localMs: number): number {
  const today = Math.floor(localMs / dayMs)
  const day = nextDay(cron, today)
  if (day === today) {
    const time = nextTime(cron, (localMs - today * dayMs) / 1000)
    if (time !== null) return today * dayMs + time * 1000
    return nextDay(cron, today + 1) * dayMs + firstTime(cron) * 1000
  }
  return day * dayMs + firstTime(cron) * 1000
}

/** A cron that never matches has been refused, so there is always another day. */
function nextDay(cron: Cron, from: number): number {
  let { year, month, day } = toCalendarDate(from)
  for (;;) {
    const left = daysOfMonth(cron, year, month) >>> (day - 1)
    if (left !== 0) return firstDayOf(year, month) + day - 1 + trailingZeros(left)
    day = 1
    month++
    if (month > 12) {
      month = 1
      year++
    }
  }
}

function trailingZeros(bits: number): number {
  return 31 - Math.clz32(bits & -bits)
}

/** The first matching second of a day at or after `from`; null = none that day. */
function nextTime(cron: Cron, from: number): number | null {
  const fromHour = Math.floor(from / 3600)
  const fromMinute = Math.floor(from / 60) % 60
  for (const hour of cron.hour.values) {
    if (hour < fromHour) continue
    if (hour > fromHour) return hour * 3600 + cron.minute.values[0]! * 60 + cron.second.values[0]!
    for (const minute of cron.minute.values) {
      if (minute < fromMinute) continue
      if (minute > fromMinute) return hour * 3600 + minute * 60 + cron.second.values[0]!
      const second = cron.second.values.find((value) => value >= from % 60)
      if (second !== undefined) return hour * 3600 + minute * 60 + second
    }
  }
  return null
}

function firstTime(cron: Cron): number {
  return cron.hour.values[0]! * 3600 + cron.minute.values[0]! * 60 + cron.second.values[0]!
}
