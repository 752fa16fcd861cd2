import { afterEach, describe, expect, it, vi } from 'vitest'
import { nextOccurrences } from './next-occurrences.ts'

const after = new Date('2027-03-26T12:00:00Z')

afterEach(() => {
  vi.useRealTimers()
})

describe('nextOccurrences', () => {
  it('gives dates, soonest first, of a cron text in a zone', () => {
    expect(nextOccurrences('0 3 * * *', { timeZone: 'Europe/Berlin', after, count: 3 })).toEqual([
      new Date('2027-03-27T02:00:00Z'),
      new Date('2027-03-28T01:00:00Z'),
      new Date('2027-03-29T01:00:00Z'),
    ])
  })

  it('reads a cron text in UTC unless told otherwise', () => {
    expect(nextOccurrences('0 3 * * *', { after, count: 1 })).toEqual([new Date('2027-03-27T03:00:00Z')])
  })

  it('gives those of a schedule', () => {
    expect(nextOccurrences({ every: '12h' }, { after, count: 2 })).toEqual([
      new Date('2027-03-27T00:00:00Z'),
      new Date('2027-03-27T12:00:00Z'),
    ])
    const schedule = { cron: '0 3 13 * 5', timeZone: 'Asia/Kolkata', dayMatch: 'and' } as const
    expect(nextOccurrences(schedule, { after, count: 1 })).toEqual([new Date('2027-08-12T21:30:00Z')])
  })

  it('takes the day match for a text too', () => {
    expect(nextOccurrences('0 0 13 * 5', { after, count: 1, dayMatch: 'and' })).toEqual([new Date('2027-08-13')])
    expect(nextOccurrences('0 0 13 * 5', { after, count: 1 })).toEqual([new Date('2027-04-02')])
  })

  it('gives five from now on when nothing else is asked', () => {
    vi.useFakeTimers({ now: after })
    const occurrences = nextOccurrences('0 0 * * *')
    expect(occurrences).toHaveLength(5)
    expect(occurrences[0]).toEqual(new Date('2027-03-27'))
  })

  it('is empty where nothing comes, and where none is asked for', () => {
    expect(nextOccurrences('*/5 2 * 3 7L', { timeZone: 'Europe/Berlin', after })).toEqual([])
    expect(nextOccurrences('0 0 * * *', { count: 0 })).toEqual([])
  })

  it.each([[-1], [1.5], [Number.NaN], [Number.POSITIVE_INFINITY], [1e9], ['3']])('refuses a count of %s', (count) => {
    expect(() => nextOccurrences('0 0 * * *', { count: count as number })).toThrow('"count" is a whole number')
  })

  it('refuses an invalid date, zone or expression', () => {
    expect(() => nextOccurrences('0 0 * * *', { after: new Date('nonsense') })).toThrow('"after" cannot be')
    expect(() => nextOccurrences('0 0 * * *', { after: '2027-01-01' })).toThrow('"after" cannot be')
    expect(() => nextOccurrences('0 0 * * *', { timeZone: 'Berlin' })).toThrow('"timeZone" cannot be')
    expect(() => nextOccurrences('0 0 30 2 *')).toThrow('never matches')
  })

  it('refuses a second zone beside that of a schedule', () => {
    expect(() => nextOccurrences({ cron: '0 0 * * *' }, { timeZone: 'UTC' })).toThrow('a schedule carries its own')
  })
})
