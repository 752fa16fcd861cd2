import fc from 'fast-check'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { firstAfter, nextAfter, parseSchedule, type Schedule } from './schedule.ts'

const minute = 60_000
const day = 86_400_000
const now = Date.UTC(2027, 5, 15, 12, 7)

describe('a schedule', () => {
  it('is a cron or an interval, never both and never neither', () => {
    expectTypeOf<{ cron: string; timeZone: string; dayMatch: 'and' }>().toExtend<Schedule>()
    expectTypeOf<{ every: '15m'; anchor: Date }>().toExtend<Schedule>()
    expectTypeOf<{ cron: string; every: '15m' }>().not.toExtend<Schedule>()
    expectTypeOf<{ every: '15m'; timeZone: string }>().not.toExtend<Schedule>()
    expectTypeOf<{ cron: string; anchor: Date }>().not.toExtend<Schedule>()
    expectTypeOf<object>().not.toExtend<Schedule>()
  })

  it.each([
    [{}, 'exactly one'],
    [{ cron: '* * * * *', every: '1m' }, 'exactly one'],
    [{ every: '1m', timeZone: 'UTC' }, '"timeZone" goes with "cron"'],
    [{ every: '1m', dayMatch: 'and' }, '"dayMatch" goes with "cron"'],
    [{ cron: '* * * * *', anchor: 0 }, '"anchor" goes with "every"'],
    [{ cron: '* * * * *', timezone: 'Europe/Berlin' }, 'no option "timezone"'],
    [{ cron: '* * * * *', timeZone: 'Berlin' }, '"timeZone" cannot be "Berlin"'],
    [{ cron: '* * * * *', dayMatch: 'both' }, '"dayMatch" is'],
    [{ every: 0 }, '"every" cannot be 0'],
    [{ every: '10ms' }, 'shorter than 100 ms'],
    [{ every: '15m', anchor: '2027-01-01' }, '"anchor" cannot be'],
    [null, 'not an object'],
    ['* * * * *', 'not an object'],
  ])('is refused as %j', (schedule, reason) => {
    const parse = () => parseSchedule(schedule as Schedule)
    expect(parse).toThrow(expect.objectContaining({ code: 'Q_OPTION_INVALID' }))
    expect(parse).toThrow(reason)
  })

  it('ignores options that are undefined', () => {
    const schedule = parseSchedule({ cron: '0 * * * *', timeZone: undefined, dayMatch: undefined, every: undefined })
    expect(schedule).toMatchObject({ kind: 'cron', zone: { name: 'UTC' } })
  })
})

describe('an interval', () => {
  it('falls on round instants, so that all servers agree without a word', () => {
    const schedule = parseSchedule({ every: '15m' })
    expect(nextAfter(schedule, now)).toBe(Date.UTC(2027, 5, 15, 12, 15))
    expect(nextAfter(schedule, Date.UTC(2027, 5, 15, 12, 15))).toBe(Date.UTC(2027, 5, 15, 12, 30))
    expect(nextAfter(schedule, Date.UTC(2027, 5, 15, 12, 15) - 1)).toBe(Date.UTC(2027, 5, 15, 12, 15))
    expect(nextAfter(parseSchedule({ every: '1d' }), now)).toBe(Date.UTC(2027, 5, 16))
  })

  it('is counted from its anchor, before it as well as after', () => {
    const schedule = parseSchedule({ every: '1d', anchor: '2027-06-20T09:30:00+02:00' })
    expect(nextAfter(schedule, now)).toBe(Date.UTC(2027, 5, 16, 7, 30))
    expect(nextAfter(schedule, Date.UTC(2030, 0, 1))).toBe(Date.UTC(2030, 0, 1, 7, 30))
  })

  it('keeps its distance when the clocks change', () => {
    const schedule = parseSchedule({ every: '1d', anchor: new Date('2027-03-27T03:00:00+01:00') })
    expect(nextAfter(schedule, Date.UTC(2027, 2, 27, 2))).toBe(Date.UTC(2027, 2, 28, 2))
  })

  it('gives the next of a grid, strictly after any instant', () => {
    const instants = fc.integer({ min: -1e15, max: 1e15 })
    fc.assert(
      fc.property(instants, fc.integer({ min: 100, max: 400 * day }), instants, (after, every, anchor) => {
        const at = nextAfter(parseSchedule({ every, anchor }), after)!
        expect(at).toBeGreaterThan(after)
        expect(at - after).toBeLessThanOrEqual(every)
        expect(Math.abs((at - anchor) % every)).toBe(0)
      }),
    )
  })

  it('ends where dates end', () => {
    const schedule = parseSchedule({ every: '1d' })
    expect(nextAfter(schedule, 8.64e15)).toBeNull()
    expect(() => firstAfter(schedule, 8.64e15)).toThrow('beyond the last date')
  })
})

describe('firstAfter', () => {
  it('gives what nextAfter gives', () => {
    expect(firstAfter(parseSchedule({ every: '1m' }), now)).toBe(now + minute)
  })

  it('refuses an expression that names only times its zone skips', () => {
    // The last Sunday of March, two o'clock: Berlin goes from two to three then, every year.
    const schedule = parseSchedule({ cron: '*/10 2 * 3 7L', timeZone: 'Europe/Berlin' })
    expect(nextAfter(schedule, now)).toBeNull()
    expect(() => firstAfter(schedule, now)).toThrow(expect.objectContaining({ code: 'Q_CRON_INVALID' }))
    expect(() => firstAfter(schedule, now)).toThrow(
      'never matches in Europe/Berlin: the clock skips the hour field "2"',
    )
    expect(firstAfter(parseSchedule({ cron: '*/10 2 * 3 7L' }), now)).toBe(Date.UTC(2028, 2, 26, 2))
  })
})
