import { QError } from '../errors.ts'
import { lengthOfMonth, firstDayOf, weekdayOf } from './calendar.ts'
import { type CronField, type DayRule, parseCronField } from './cron-fields.ts'
import { excerpt } from './excerpt.ts'

/** How two restricted day fields go together: either matches (`'or'`, as cron does), or both must (`'and'`). */
export type DayMatch = 'or' | 'and'

/** A cron expression, read and known to match sometimes. */
export interface Cron {
  readonly second: CronField
  readonly minute: CronField
  readonly hour: CronField
  readonly dayOfMonth: CronField
  readonly month: CronField
  readonly dayOfWeek: CronField
  /** A `*`, step or range in second, minute or hour: it follows real time. Without, it names times of the local day. */
  readonly isRepeating: boolean
  /** A day matches when either day field does, rather than both. */
  readonly matchesEitherDay: boolean
}

const macros: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

/** Five fields, or six with seconds first, or a macro. Throws `Q_CRON_INVALID` naming the field and the reason. */
export function parseCron(text: string, dayMatch: DayMatch = 'or'): Cron {
  if (typeof text !== 'string') throw new QError('Q_CRON_INVALID', `A cron expression is a text, not ${typeof text}.`)
  if (dayMatch !== 'or' && dayMatch !== 'and') {
    throw new QError('Q_OPTION_INVALID', `"dayMatch" is 'or' or 'and', not ${excerpt(dayMatch)}.`)
  }
  const texts = splitFields(text)
  const second = parseCronField('second', texts[0])
  const minute = parseCronField('minute', texts[1])
  const hour = parseCronField('hour', texts[2])
  const dayOfMonth = parseCronField('day-of-month', texts[3])
  const month = parseCronField('month', texts[4])
  const dayOfWeek = parseCronField('day-of-week', texts[5])
  const isRepeating = second.hasPattern || minute.hasPattern || hour.hasPattern
  const matchesEitherDay = dayMatch === 'or' && !dayOfMonth.startsWithStar && !dayOfWeek.startsWithStar
  const cron = { second, minute, hour, dayOfMonth, month, dayOfWeek, isRepeating, matchesEitherDay }
  refuseNever(cron)
  return cron
}

type SixTexts = readonly [string, string, string, string, string, string]

function splitFields(text: string): SixTexts {
  const fields: string[] = []
  // Stops after the seventh, however many there are.
  for (const [field] of text.matchAll(/\S+/g)) if (fields.push(field) > 6) break
  const [first = ''] = fields
  if (first.startsWith('@')) return splitFields(expandMacro(text, first, fields.length))
  if (fields.length === 5) fields.unshift('0')
  if (fields.length !== 6) {
    const count = fields.length > 6 ? 'more than six' : fields.length === 0 ? 'no' : `only ${fields.length}`
    throw new QError(
      'Q_CRON_INVALID',
      `The cron expression "${excerpt(text)}" has ${count} field${fields.length === 1 ? '' : 's'}. ` +
        `It needs five (minute, hour, day-of-month, month, day-of-week), or six with the second first.`,
    )
  }
  return fields as unknown as SixTexts
}

function expandMacro(text: string, word: string, fieldCount: number): string {
  const expression = fieldCount === 1 && word.length < 20 ? macros[word.toLowerCase()] : undefined
  if (expression !== undefined) return expression
  const reason = word.toLowerCase() === '@reboot' ? 'it names no time' : 'it is not a known macro'
  throw new QError(
    'Q_CRON_INVALID',
    `The cron expression "${excerpt(text)}" is refused: ${reason}. Known are ${Object.keys(macros).join(', ')}.`,
  )
}

/** The days of a month on which the expression matches: bit 0 is the first. */
export function daysOfMonth(cron: Cron, year: number, month: number): number {
  if (!cron.month.values.includes(month)) return 0
  const shape = shapeOf(year, month)
  const byDate = daysOfField(cron.dayOfMonth, shape)
  const byWeekday = daysOfField(cron.dayOfWeek, shape)
  return cron.matchesEitherDay ? byDate | byWeekday : byDate & byWeekday
}

interface MonthShape {
  readonly length: number
  /** The weekday of its first day. */
  readonly firstWeekday: number
}

function shapeOf(year: number, month: number): MonthShape {
  return { length: lengthOfMonth(year, month), firstWeekday: weekdayOf(firstDayOf(year, month)) }
}

/** Every seventh day from the first. */
const sevenths = 0b10000001000000100000010000001

function daysOfField(field: CronField, shape: MonthShape): number {
  let days = 0
  for (const value of field.values) {
    days |= field.name === 'day-of-month' ? 1 << (value - 1) : sevenths << ((value - shape.firstWeekday + 7) % 7)
  }
  for (const rule of field.dayRules) {
    const day = dayOfRule(rule, shape)
    if (day !== null) days |= 1 << (day - 1)
  }
  return days & (2 ** shape.length - 1)
}

/** The day a rule means in such a month; null where that month has none: days are never clamped. */
function dayOfRule(rule: DayRule, { length, firstWeekday }: MonthShape): number | null {
  const weekday = (day: number): number => (firstWeekday + day - 1) % 7
  switch (rule.kind) {
    case 'fromEnd':
      return length - rule.days >= 1 ? length - rule.days : null
    case 'lastWeekday':
      return weekday(length) === 0 ? length - 2 : weekday(length) === 6 ? length - 1 : length
    case 'nearestWeekday':
      if (rule.day > length) return null
      if (weekday(rule.day) === 6) return rule.day === 1 ? 3 : rule.day - 1
      if (weekday(rule.day) === 0) return rule.day === length ? length - 2 : rule.day + 1
      return rule.day
    case 'nth': {
      const day = 1 + ((rule.weekday - firstWeekday + 7) % 7) + 7 * (rule.nth - 1)
      return day <= length ? day : null
    }
    case 'last':
      return length - ((weekday(length) - rule.weekday + 7) % 7)
  }
}

/** 28 years in a row without a skipped leap day hold every kind of year, so what matches in none of them never does. */
function refuseNever(cron: Cron): void {
  const matches = (days: (year: number, month: number) => number): boolean => {
    for (let year = 2001; year <= 2028; year++) {
      for (const month of cron.month.values) if (days(year, month) !== 0) return true
    }
    return false
  }
  if (matches((year, month) => daysOfMonth(cron, year, month))) return
  const { dayOfMonth, dayOfWeek, month } = cron
  const reason = matches((year, month) => daysOfField(dayOfMonth, shapeOf(year, month)))
    ? `the day-of-month field "${dayOfMonth.text}" and the day-of-week field "${dayOfWeek.text}" never meet on one day`
    : `the day-of-month field "${dayOfMonth.text}" names no day that exists`
  const where = month.values.length === 12 ? '' : ` in the months "${month.text}"`
  throw new QError('Q_CRON_INVALID', `The cron expression never matches: ${reason}${where}.`)
}
