import { QError } from '../errors.ts'
import { excerpt } from './excerpt.ts'

/** Milliseconds, or a number with one unit: `'500ms'`, `'30s'`, `'5m'`, `'2h'`, `'7d'`. A day is 24 hours. */
export type Duration = number | `${number}${DurationUnit}`

export type DurationUnit = 'ms' | 's' | 'm' | 'h' | 'd'

export interface DurationLimits {
  /** The name of the option, for the message of a refusal. */
  readonly option?: string | undefined
  /** The least that is accepted, in milliseconds. Default 0. */
  readonly minMs?: number | undefined
  /** The most that is accepted, in milliseconds. Default 100 years. */
  readonly maxMs?: number | undefined
}

/** Anything longer is a mistake in the unit, and would overflow dates further on. */
const centuryMs = 36_525 * 86_400_000

const unitMs: Readonly<Record<DurationUnit, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds of a duration, rounded to whole ones. What is no duration is refused under the name of its option. */
export function parseDuration(value: Duration, limits: DurationLimits | string = {}): number {
  const { option = 'duration', minMs = 0, maxMs = centuryMs } = typeof limits === 'string' ? { option: limits } : limits
  const ms = typeof value === 'string' ? parseText(value, option) : value
  if (typeof ms !== 'number' || !Number.isFinite(ms)) refuse(option, value, 'it is not a finite number of milliseconds')
  if (ms < 0) refuse(option, value, 'it is negative')
  const whole = Math.round(ms)
  if (whole < minMs) refuse(option, value, `it is shorter than ${minMs} ms`)
  if (whole > maxMs) refuse(option, value, `it is longer than ${maxMs === centuryMs ? '100 years' : `${maxMs} ms`}`)
  return whole
}

function parseText(text: string, option: string): number {
  // No duration is this long, and nothing below has to care about the length of its input.
  if (text.length > 40) refuse(option, text, 'the text is too long')
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
  if (digits !== undefined && unit !== undefined) return Number(digits) * unitMs[unit as DurationUnit]
  if (text.startsWith('-')) refuse(option, text, 'it is negative')
  const total = sumOfParts(text)
  if (total !== null) refuse(option, text, `it has more than one unit; write ${total} or '${total / 1000}s'`)
  if (/^[\d.]+$/.test(text)) refuse(option, text, `a text needs a unit; write '${text}ms' or '${text}s'`)
  return refuse(option, text, 'it is not a number followed by ms, s, m, h or d')
}

/** `'1h30m'` is not accepted, but whoever writes it is told the sum. */
function sumOfParts(text: string): number | null {
  const parts = text.match(/\d+(?:ms|s|m|h|d)/g)
  if (parts === null || parts.length < 2 || parts.join('') !== text.replaceAll(' ', '')) return null
  return parts.reduce((sum, part) => {
    const unit = part.replace(/^\d+/, '') as DurationUnit
    return sum + Number.parseInt(part, 10) * unitMs[unit]
  }, 0)
}

function refuse(option: string, value: unknown, reason: string): never {
  const shown = typeof value === 'string' ? `"${excerpt(value)}"` : excerpt(value)
  throw new QError(
    'Q_OPTION_INVALID',
    `"${option}" cannot be ${shown}: ${reason}. Give milliseconds or a text such as '500ms', '30s', '5m', '2h' or '7d'.`,
  )
}
