import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dayMs, firstDayOf, lengthOfMonth, toCalendarDate, weekdayOf } from './calendar.ts'

const farthestDay = 8_640_000_000_000_000 / dayMs

describe('the calendar', () => {
  it('agrees with Date on every day it can say', () => {
    fc.assert(
      fc.property(fc.integer({ min: -farthestDay, max: farthestDay }), (days) => {
        const date = new Date(days * dayMs)
        const { year, month, day } = toCalendarDate(days)
        expect([year, month, day]).toEqual([date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()])
        expect(weekdayOf(days)).toBe(date.getUTCDay())
        expect(firstDayOf(year, month) + day - 1).toBe(days)
      }),
    )
  })

  it('has no gaps over four centuries', () => {
    let day = firstDayOf(1900, 1)
    for (let year = 1900; year < 2300; year++) {
      for (let month = 1; month <= 12; month++) {
        expect(firstDayOf(year, month)).toBe(day)
        const last = day + lengthOfMonth(year, month) - 1
        expect(toCalendarDate(day)).toEqual({ year, month, day: 1 })
        expect(toCalendarDate(last)).toEqual({ year, month, day: lengthOfMonth(year, month) })
        day = last + 1
      }
    }
  })

  it('skips the leap day of 2100 and keeps that of 2000', () => {
    expect([1900, 2000, 2028, 2100].map((year) => lengthOfMonth(year, 2))).toEqual([28, 29, 29, 28])
  })
})
