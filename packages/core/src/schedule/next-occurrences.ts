import { systemClock } from '../clock.ts'
import { QError } from '../errors.ts'
import type { DayMatch } from './cron.ts'
import { excerpt } from './excerpt.ts'
import { type Instant, parseInstant } from './instant.ts'
import { nextAfter, parseSchedule, type Schedule } from './schedule.ts'

export interface NextOccurrencesOptions {
  /** For a cron text: an IANA name. Default `'UTC'`. */
  readonly timeZone?: string | undefined
  /** For a cron text: how two restricted day fields go together. Default `'or'`. */
  readonly dayMatch?: DayMatch | undefined
  /** Occurrences are strictly after this. Default now. */
  readonly after?: Instant | undefined
  /** How many at most. Default 5. */
  readonly count?: number | undefined
}

const mostOccurrences = 100_000

/**
 * The next instants of a schedule, soonest first; empty where nothing comes. Asks no storage.
 *
 * @example
 * nextOccurrences('0 3 * * *', { timeZone: 'Europe/Berlin', count: 3 })
 * nextOccurrences({ every: '15m' }, { after: new Date('2027-01-01T00:00:00Z') })
 */
export function nextOccurrences(spec: string | Schedule, options: NextOccurrencesOptions = {}): Date[] {
  const { timeZone, dayMatch, count = 5 } = options
  if (typeof spec !== 'string' && (timeZone !== undefined || dayMatch !== undefined)) {
    throw new QError('Q_OPTION_INVALID', '"timeZone" and "dayMatch" go with a cron text; a schedule carries its own.')
  }
  if (!Number.isInteger(count) || count < 0 || count > mostOccurrences) {
    throw new QError(
      'Q_OPTION_INVALID',
      `"count" is a whole number from 0 to ${mostOccurrences}, not ${excerpt(count)}.`,
    )
  }
  const schedule = parseSchedule(typeof spec === 'string' ? { cron: spec, timeZone, dayMatch } : spec)
  const occurrences: Date[] = []
  let at: number | null = options.after === undefined ? systemClock.now() : parseInstant(options.after, 'after')
  while (occurrences.length < count) {
    at = nextAfter(schedule, at)
    if (at === null) break
    occurrences.push(new Date(at))
  }
  return occurrences
}
