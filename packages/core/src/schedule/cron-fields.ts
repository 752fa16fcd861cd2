import { QError } from '../errors.ts'
import { excerpt } from './excerpt.ts'

export type CronFieldName = 'second' | 'minute' | 'hour' | 'day-of-month' | 'month' | 'day-of-week'

/** One field of a cron expression, read. */
export interface CronField {
  readonly name: CronFieldName
  readonly text: string
  /** The numbers it lists, ascending; a Sunday is 0. */
  readonly values: readonly number[]
  /** What only the calendar of a month can tell: `L`, `15W`, `5#2`, … */
  readonly dayRules: readonly DayRule[]
  /** It starts with `*` (or is `?`), so it does not restrict the days when the other day field does. */
  readonly startsWithStar: boolean
  /** It has a `*`, a step or a range, rather than plain values only. */
  readonly hasPattern: boolean
}

export type DayRule =
  /** `L`, `L-3`: so many days before the last of the month. */
  | { readonly kind: 'fromEnd'; readonly days: number }
  /** `15W`: the weekday nearest that day, within its month. */
  | { readonly kind: 'nearestWeekday'; readonly day: number }
  /** `LW` */
  | { readonly kind: 'lastWeekday' }
  /** `5#2`: the second Friday. */
  | { readonly kind: 'nth'; readonly weekday: number; readonly nth: number }
  /** `5L`: the last Friday. */
  | { readonly kind: 'last'; readonly weekday: number }

export const monthNames: readonly string[] = 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ')
export const weekdayNames: readonly string[] = 'SUN MON TUE WED THU FRI SAT'.split(' ')

interface FieldRange {
  readonly min: number
  readonly max: number
  readonly names?: readonly string[]
}

const ranges: Readonly<Record<CronFieldName, FieldRange>> = {
  second: { min: 0, max: 59 },
  minute: { min: 0, max: 59 },
  hour: { min: 0, max: 23 },
  'day-of-month': { min: 1, max: 31 },
  month: { min: 1, max: 12, names: monthNames },
  'day-of-week': { min: 0, max: 7, names: weekdayNames },
}

/** Sixty values with commas fit well; a longer text is refused before anything looks at its content. */
const longestField = 256

export function parseCronField(name: CronFieldName, text: string): CronField {
  if (text.length > longestField) {
    refuseField(name, text, `it has ${text.length} characters; no field needs more than ${longestField}`)
  }
  const values = new Set<number>()
  const dayRules: DayRule[] = []
  let hasPattern = false
  for (const item of text.toUpperCase().split(',')) {
    if (item === '') refuseField(name, text, 'a value is missing beside a comma')
    const rule = parseDayRule(name, text, item)
    if (rule !== null) {
      dayRules.push(rule)
      continue
    }
    const { from, to, step } = parseItem(name, text, item)
    if (!/^[A-Z\d]+$/.test(item)) hasPattern = true
    // A Sunday may be written 7, also at the end of a range.
    for (let value = from; value <= to; value += step) values.add(name === 'day-of-week' ? value % 7 : value)
  }
  return {
    name,
    text,
    values: [...values].toSorted((a, b) => a - b),
    dayRules,
    startsWithStar: text.startsWith('*') || text === '?',
    hasPattern,
  }
}

/** `*`, `5`, `1-5`, each with a step or without. */
function parseItem(name: CronFieldName, text: string, item: string): { from: number; to: number; step: number } {
  const { min } = ranges[name]
  const max = name === 'day-of-week' ? 6 : ranges[name].max
  const [body = '', stepText, ...more] = item.split('/')
  if (more.length > 0) refuseField(name, text, `"${excerpt(item)}" has more than one step`)
  const step = stepText === undefined ? 1 : parseStep(name, text, stepText)
  if (body === '?') {
    const isDayField = name === 'day-of-month' || name === 'day-of-week'
    if (!isDayField || text !== '?') refuseField(name, text, '"?" can only stand alone, in a day field; write "*"')
  }
  if (body === '*' || body === '?') return { from: min, to: max, step }
  const [first = '', last, ...rest] = body.split('-')
  if (rest.length > 0) refuseField(name, text, `"${excerpt(item)}" is not a range of two values`)
  const from = parseValue(name, text, first)
  // Of "5/15" the range is open to the end, as most cron dialects read it.
  if (last === undefined) return { from, to: stepText === undefined ? from : Math.max(from, max), step }
  const to = parseValue(name, text, last)
  if (name === 'day-of-week') {
    if (to === 0 && from > 0) return { from, to: 7, step }
    if (from === 7 && to < 7) return { from: 0, to, step }
  }
  if (from > to) refuseField(name, text, `the range "${excerpt(body)}" runs backwards; write it as two ranges`)
  return { from, to, step }
}

function parseStep(name: CronFieldName, text: string, stepText: string): number {
  const { min, max } = ranges[name]
  const size = name === 'day-of-week' ? 7 : max - min + 1
  if (!/^\d{1,4}$/.test(stepText)) refuseField(name, text, `the step "${excerpt(stepText)}" is not a whole number`)
  const step = Number(stepText)
  if (step < 1) refuseField(name, text, 'a step is at least 1')
  if (step > size) {
    refuseField(name, text, `the step ${step} is longer than the field (${size}); for a long interval use { every }`)
  }
  return step
}

function parseValue(name: CronFieldName, text: string, word: string): number {
  const { min, max, names } = ranges[name]
  const named = names?.indexOf(word) ?? -1
  if (named >= 0) return named + min
  if (!/^\d{1,4}$/.test(word)) {
    const nameHint = names === undefined ? '' : ` or a name from ${names[0]} to ${names.at(-1)}`
    refuseField(name, text, `"${excerpt(word)}" is not a number from ${min} to ${max}${nameHint}${hintFor(name, word)}`)
  }
  const value = Number(word)
  if (value < min || value > max) refuseField(name, text, `${value} is not within ${min} to ${max}`)
  return value
}

function hintFor(name: CronFieldName, word: string): string {
  if (name === 'day-of-week' && word === 'L') return '; write "6L" for the last Saturday'
  if (name === 'month' || name === 'day-of-week' || !/[LW#]/.test(word)) return ''
  return name === 'day-of-month' ? '; "L", "L-3", "15W" and "LW" stand alone or in a list' : ''
}

/** A rule, or null where the item is made of plain values. */
function parseDayRule(name: CronFieldName, text: string, item: string): DayRule | null {
  if (name === 'day-of-month') {
    if (item === 'L') return { kind: 'fromEnd', days: 0 }
    if (item === 'LW') return { kind: 'lastWeekday' }
    const [, days] = /^L-(\d{1,4})$/.exec(item) ?? []
    if (days !== undefined) {
      if (Number(days) > 30) refuseField(name, text, `no month has a day ${days} days before its last`)
      return { kind: 'fromEnd', days: Number(days) }
    }
    const [, day] = /^(\d{1,4})W$/.exec(item) ?? []
    return day === undefined ? null : { kind: 'nearestWeekday', day: parseValue(name, text, day) }
  }
  if (name === 'day-of-week') {
    const [, weekday, nth] = /^([A-Z\d]+)#(.*)$/.exec(item) ?? []
    if (weekday !== undefined && nth !== undefined) {
      if (!/^[1-5]$/.test(nth)) refuseField(name, text, `"#${excerpt(nth)}" is not within #1 to #5`)
      return { kind: 'nth', weekday: parseValue(name, text, weekday) % 7, nth: Number(nth) }
    }
    const [, last] = /^([A-Z\d]+)L$/.exec(item) ?? []
    return last === undefined ? null : { kind: 'last', weekday: parseValue(name, text, last) % 7 }
  }
  return null
}

function refuseField(name: CronFieldName, text: string, reason: string): never {
  throw new QError(
    'Q_CRON_INVALID',
    `The ${name} field "${excerpt(text)}" of the cron expression is refused: ${reason}.`,
  )
}
