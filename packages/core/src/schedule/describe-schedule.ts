import type { Cron } from './cron.ts'
import type { CronField, DayRule } from './cron-fields.ts'
import type { ParsedSchedule } from './schedule.ts'

/**
 * A schedule in plain English for people who read a list: "Daily at 02:00", "Every 15 minutes", "At 03:00 on Monday
 * through Friday". The zone is not part of it. What has no common form is described field by field.
 */
export function describeSchedule(schedule: ParsedSchedule): string {
  return schedule.kind === 'cron' ? describeCron(schedule.cron) : describeInterval(schedule)
}

const units: readonly (readonly [unit: string, ms: number])[] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
]

function describeInterval({ everyMs, anchorMs }: { readonly everyMs: number; readonly anchorMs: number }): string {
  const [unit, ms] = units.find(([, unitMs]) => everyMs % unitMs === 0) ?? ['second', 1000]
  const count = everyMs / ms
  const words = count === 1 ? `Every ${unit}` : `Every ${count} ${unit}s`
  if (anchorMs % everyMs === 0) return words
  return `${words}, counted from ${new Date(anchorMs).toISOString().replace(/(?::00)?\.000Z$/, 'Z')}`
}

function describeCron(cron: Cron): string {
  const clockTimes = listClockTimes(cron)
  const rhythm = describeRhythm(cron)
  const times = (cron.isRepeating ? (rhythm ?? clockTimes) : (clockTimes ?? rhythm)) ?? describeTimeFields(cron)
  const days = describeDays(cron)
  const words = times === clockTimes && !days.startsWith('on') ? times.replace('At', 'Daily at') : times
  return days === '' ? words : `${words} ${days}`
}

// --- the time of day

/** "At 09:00 and 17:00": a few times that can be listed. */
function listClockTimes({ second, minute, hour }: Cron): string | null {
  if (hour.values.length * minute.values.length * second.values.length > 6) return null
  const times: string[] = []
  for (const h of hour.values) {
    for (const m of minute.values) {
      for (const s of second.values) times.push(s === 0 ? clock(h, m) : `${clock(h, m)}:${twoDigits(s)}`)
    }
  }
  return `At ${join(times)}`
}

/** "Every 15 minutes from 09:00 through 17:59": one even rhythm within hours that are a run, or all. */
function describeRhythm({ second, minute, hour }: Cron): string | null {
  const hours = shapeOf(hour)
  if (hours.kind === 'other') return null
  if (isOnly(second, 0) && isOnly(minute, 0)) {
    if (hours.kind === 'run') return `Every hour from ${clock(hours.from, 0)} through ${clock(hours.to, 0)}`
    return hours.kind === 'all' ? 'Every hour' : everyNth(hours.step, 'hour', 24, 'day')
  }
  const minutes = shapeOf(minute)
  const rhythm = isOnly(second, 0) ? rhythmOf(minutes, 'minute', 'hour') : null
  const finer = minutes.kind === 'all' ? rhythmOf(shapeOf(second), 'second', 'minute') : null
  const words = rhythm ?? finer
  if (words !== null) {
    if (hours.kind === 'all') return words
    return hours.kind === 'run' ? `${words} from ${clock(hours.from, 0)} through ${clock(hours.to, 59)}` : null
  }
  if (isOnly(second, 0) && minute.values.length <= 6) {
    const past = `${join(minute.values.map(String))} ${isOnly(minute, 1) ? 'minute' : 'minutes'} past`
    if (hours.kind === 'all') return `At ${past} every hour`
    if (hours.kind === 'steps') return `${everyNth(hours.step, 'hour', 24, 'day')}, at ${past}`
  }
  return null
}

function rhythmOf(shape: Shape, unit: string, whole: string): string | null {
  if (shape.kind === 'all') return `Every ${unit}`
  return shape.kind === 'steps' ? everyNth(shape.step, unit, 60, whole) : null
}

/** Steps start anew with each whole: where they do not divide it, "every 7 minutes" alone would be untrue. */
function everyNth(step: number, unit: string, size: number, whole: string): string {
  return size % step === 0 ? `Every ${step} ${unit}s` : `Every ${step} ${unit}s from the start of each ${whole}`
}

function describeTimeFields({ second, minute, hour }: Cron): string {
  const fields = isOnly(second, 0) ? [minute, hour] : [second, minute, hour]
  const parts = fields
    .filter((field) => !coversAll(field))
    .map((field) => `the ${field.name} is ${runs(field.values, String, 'or')}`)
  return `When ${join(parts)}`
}

// --- the days

/** Begins with "on" where not every day counts. */
function describeDays({ dayOfMonth, dayOfWeek, month, matchesEitherDay }: Cron): string {
  const months = coversAll(month) ? '' : runs(month.values, (value) => monthWords[value - 1]!, 'and')
  const ofMonths = months === '' ? 'of every month' : `of ${months}`
  const inMonths = months === '' ? '' : ` in ${months}`
  const anyDate = coversAll(dayOfMonth)
  const anyWeekday = coversAll(dayOfWeek)
  // Where either field is enough, one that names every day makes every day match.
  if ((anyDate && anyWeekday) || (matchesEitherDay && (anyDate || anyWeekday))) return inMonths.trim()
  const dates = `on ${listDates(dayOfMonth)} ${ofMonths}`
  if (anyWeekday) return dates
  if (!anyDate && !matchesEitherDay) return `${dates}, only if that is ${listWeekdays(dayOfWeek, 'or')}`
  const weekdays = `on ${listWeekdays(dayOfWeek, 'and')}${dayOfWeek.dayRules.length > 0 ? ` ${ofMonths}` : inMonths}`
  return anyDate ? weekdays : `${dates}, or ${weekdays}`
}

function listDates(field: CronField): string {
  const shape = shapeOf(field)
  const days = field.values.length === 0 ? [] : [datesOf(field, shape)]
  return join([...days, ...field.dayRules.map(describeRule)])
}

function datesOf(field: CronField, shape: Shape): string {
  if (shape.kind === 'steps') return `every ${ordinal(shape.step)} day from the 1st`
  return `the ${runs(field.values, ordinal, 'and')}`
}

function listWeekdays(field: CronField, conjunction: string): string {
  const days = field.values.length === 0 ? [] : [runs(mondayFirst(field.values), weekdayWord, conjunction)]
  return join([...days, ...field.dayRules.map(describeRule)], conjunction)
}

/** Sunday comes last, so that "Friday through Sunday" is a run, unless the run goes on with Monday. */
function mondayFirst(values: readonly number[]): readonly number[] {
  if (!values.includes(0) || values.includes(1)) return values
  return [...values.filter((value) => value !== 0), 7]
}

function describeRule(rule: DayRule): string {
  switch (rule.kind) {
    case 'fromEnd':
      if (rule.days === 0) return 'the last day'
      return rule.days === 1 ? 'the day before the last day' : `the ${ordinal(rule.days)} day before the last day`
    case 'lastWeekday':
      return 'the last weekday'
    case 'nearestWeekday':
      return `the weekday nearest the ${ordinal(rule.day)}`
    case 'nth':
      return `the ${nthWords[rule.nth - 1]} ${weekdayWord(rule.weekday)}`
    case 'last':
      return `the last ${weekdayWord(rule.weekday)}`
  }
}

// --- what fields look like

type Shape =
  | { readonly kind: 'all' }
  | { readonly kind: 'steps'; readonly step: number }
  | { readonly kind: 'run'; readonly from: number; readonly to: number }
  | { readonly kind: 'other' }

const sizes: Readonly<Record<CronField['name'], number>> = {
  second: 60,
  minute: 60,
  hour: 24,
  'day-of-month': 31,
  month: 12,
  'day-of-week': 7,
}

/** By the values rather than by the text: `0-59/15` and `0,15,30,45` are seen to be what they are. */
function shapeOf(field: CronField): Shape {
  const { values, name } = field
  if (coversAll(field)) return { kind: 'all' }
  const [first, second] = values
  const last = values.at(-1)
  if (first === undefined || last === undefined) return { kind: 'other' }
  if (second === undefined) return { kind: 'run', from: first, to: first }
  const step = second - first
  if (values.some((value, i) => value !== first + i * step)) return { kind: 'other' }
  if (step === 1) return { kind: 'run', from: first, to: last }
  const start = name === 'day-of-month' || name === 'month' ? 1 : 0
  const fills = first === start && last + step >= sizes[name] + start && values.length > 2
  return fills || (first === start && sizes[name] === 2 * step) ? { kind: 'steps', step } : { kind: 'other' }
}

function coversAll(field: CronField): boolean {
  return field.values.length === sizes[field.name]
}

function isOnly(field: CronField, value: number): boolean {
  return field.values.length === 1 && field.values[0] === value
}

// --- words

const monthWords: readonly string[] =
  'January February March April May June July August September October November December'.split(' ')
const weekdayWords: readonly string[] = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ')
const nthWords: readonly string[] = ['first', 'second', 'third', 'fourth', 'fifth']

function weekdayWord(value: number): string {
  return weekdayWords[value % 7]!
}

/** "1 through 5 and 10": three or more in a row become a run. */
function runs(values: readonly number[], word: (value: number) => string, conjunction: string): string {
  const parts: string[] = []
  for (let i = 0; i < values.length;) {
    let end = i
    while (end + 1 < values.length && values[end + 1] === values[end]! + 1) end++
    if (end - i >= 2) parts.push(`${word(values[i]!)} through ${word(values[end]!)}`)
    else parts.push(...values.slice(i, end + 1).map(word))
    i = end + 1
  }
  return join(parts, conjunction)
}

function join(parts: readonly string[], conjunction = 'and'): string {
  if (parts.length < 2) return parts.join('')
  return `${parts.slice(0, -1).join(', ')} ${conjunction} ${parts.at(-1)}`
}

function ordinal(value: number): string {
  const tens = value % 100
  const suffix = tens > 10 && tens < 20 ? 'th' : (['th', 'st', 'nd', 'rd'][value % 10] ?? 'th')
  return `${value}${suffix}`
}

function clock(hour: number, minute: number): string {
  return `${twoDigits(hour)}:${twoDigits(minute)}`
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}
