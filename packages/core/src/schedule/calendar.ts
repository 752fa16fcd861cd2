/** The Gregorian calendar over days since 1970-01-01. `Date` is not used: it reads the years 0 to 99 as 1900 to 1999. */
export const dayMs = 86_400_000

export interface CalendarDate {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  /** 1 to 31. */
  readonly day: number
}

/** Days from 1970-01-01 to the first of a month. */
export function firstDayOf(year: number, month: number): number {
  // Years begin in March here, so that the leap day is their last.
  const shifted = month > 2 ? year : year - 1
  const leapDays = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400)
  const daysBeforeMonth = Math.floor((153 * ((month + 9) % 12) + 2) / 5)
  return shifted * 365 + leapDays + daysBeforeMonth - 719_468
}

export function toCalendarDate(daysSince1970: number): CalendarDate {
  // At most one year too early; the average year is a little longer than 365 days.
  let year = Math.floor(daysSince1970 / 365.2425) + 1970
  if (firstDayOf(year, 1) > daysSince1970) year--
  else if (firstDayOf(year + 1, 1) <= daysSince1970) year++
  let month = Math.min(12, Math.floor((daysSince1970 - firstDayOf(year, 1)) / 29) + 1)
  while (firstDayOf(year, month) > daysSince1970) month--
  return { year, month, day: daysSince1970 - firstDayOf(year, month) + 1 }
}

/** 28 to 31. */
export function lengthOfMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** 0 for Sunday to 6. */
export function weekdayOf(daysSince1970: number): number {
  return (((daysSince1970 + 4) % 7) + 7) % 7
}
