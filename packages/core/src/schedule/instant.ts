import { QError } from '../errors.ts'
import { excerpt } from './excerpt.ts'

/**
 * A moment: a `Date`, milliseconds since 1970, a `Temporal.Instant` or `Temporal.ZonedDateTime`, or an ISO text that
 * says its zone (`'2027-03-28T01:00:00Z'`, `'2027-03-28T03:00+02:00'`).
 */
export type Instant = Date | number | string | { readonly epochMilliseconds: number }

/** The farthest from 1970 that a `Date` can say. */
export const lastInstantMs = 8_640_000_000_000_000

const isoWithZone = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/

/** Milliseconds since 1970. A text without a zone would mean another moment on every machine, and is refused. */
export function parseInstant(value: Instant, option: string): number {
  const ms = toMs(value, option)
  if (typeof ms !== 'number' || !(Math.abs(ms) <= lastInstantMs)) refuse(option, value, 'it is not a valid date')
  return Math.trunc(ms)
}

function toMs(value: Instant, option: string): number {
  if (typeof value === 'number') return value
  if (typeof value === 'string') return parseIso(value, option)
  if (value instanceof Date) return value.getTime()
  if (typeof value === 'object' && value !== null && 'epochMilliseconds' in value) return value.epochMilliseconds
  return refuse(option, value, 'it is not an instant')
}

function parseIso(text: string, option: string): number {
  const date = text.length > 40 ? undefined : isoWithZone.exec(text)?.[1]
  if (date === undefined) refuse(option, text, 'it does not say date, time and zone')
  // Date reads 30 February as 2 March.
  const midnight = new Date(`${date}T00:00:00Z`)
  if (Number.isNaN(midnight.getTime()) || midnight.toISOString().slice(0, 10) !== date) {
    refuse(option, text, 'there is no such day')
  }
  return Date.parse(text)
}

function refuse(option: string, value: unknown, reason: string): never {
  const shown = typeof value === 'string' ? `"${excerpt(value)}"` : typeof value === 'number' ? value : typeof value
  throw new QError(
    'Q_OPTION_INVALID',
    `"${option}" cannot be ${shown}: ${reason}. Give a Date, milliseconds since 1970, or an ISO text with its zone such as "2027-03-28T01:00:00Z".`,
  )
}
