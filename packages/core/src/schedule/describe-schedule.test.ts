import { describe, expect, it } from 'vitest'
import { describeSchedule } from './describe-schedule.ts'
import { parseSchedule } from './schedule.ts'

describe('describeSchedule', () => {
  it.each([
    ['* * * * *', 'Every minute'],
    ['* * * * * *', 'Every second'],
    ['*/15 * * * *', 'Every 15 minutes'],
    ['0-59/15 * * * *', 'Every 15 minutes'],
    ['*/30 * * * *', 'Every 30 minutes'],
    ['*/7 * * * *', 'Every 7 minutes from the start of each hour'],
    ['*/10 * * * * *', 'Every 10 seconds'],
    ['@hourly', 'Every hour'],
    ['30 * * * *', 'At 30 minutes past every hour'],
    ['1 * * * *', 'At 1 minute past every hour'],
    ['5,35 * * * *', 'At 5 and 35 minutes past every hour'],
    ['0 */2 * * *', 'Every 2 hours'],
    ['0 */5 * * *', 'Every 5 hours from the start of each day'],
    ['15 */2 * * *', 'Every 2 hours, at 15 minutes past'],
    ['0 2 * * *', 'Daily at 02:00'],
    ['@daily', 'Daily at 00:00'],
    ['0 9,17 * * *', 'Daily at 09:00 and 17:00'],
    ['0,30 9 * * *', 'Daily at 09:00 and 09:30'],
    ['30 0 3 * * *', 'Daily at 03:00:30'],
    ['0 9-17 * * 1-5', 'Every hour from 09:00 through 17:00 on Monday through Friday'],
    ['*/15 9-17 * * MON-FRI', 'Every 15 minutes from 09:00 through 17:59 on Monday through Friday'],
    ['*/5 0 * * *', 'Every 5 minutes from 00:00 through 00:59'],
    ['* 3 * * *', 'Every minute from 03:00 through 03:59'],
    ['0 9-17/4 * * *', 'Daily at 09:00, 13:00 and 17:00'],
    ['*/10 8,9 * * *', 'Every 10 minutes from 08:00 through 09:59'],
    ['0 3 * * 1-5', 'At 03:00 on Monday through Friday'],
    ['0 3 * * SUN', 'At 03:00 on Sunday'],
    ['0 3 * * 0,6', 'At 03:00 on Saturday and Sunday'],
    ['0 3 * * 5-7', 'At 03:00 on Friday through Sunday'],
    ['0 3 * * 0-2', 'At 03:00 on Sunday through Tuesday'],
    ['0 3 * * 1,3,5', 'At 03:00 on Monday, Wednesday and Friday'],
    ['0 3 * * */2', 'At 03:00 on Tuesday, Thursday, Saturday and Sunday'],
    ['0 3 * * 5#2', 'At 03:00 on the second Friday of every month'],
    ['0 3 * * 5L', 'At 03:00 on the last Friday of every month'],
    ['0 3 * * 1,5L', 'At 03:00 on Monday and the last Friday of every month'],
    ['0 3 1 * *', 'At 03:00 on the 1st of every month'],
    ['0 3 1,15 * *', 'At 03:00 on the 1st and 15th of every month'],
    [
      '0 3 2,3,11,12,13,21,22,23 * *',
      'At 03:00 on the 2nd, 3rd, 11th through 13th and 21st through 23rd of every month',
    ],
    ['0 3 */2 * *', 'At 03:00 on every 2nd day from the 1st of every month'],
    ['0 3 L * *', 'At 03:00 on the last day of every month'],
    ['0 3 L-1 * *', 'At 03:00 on the day before the last day of every month'],
    ['0 3 L-3 * *', 'At 03:00 on the 3rd day before the last day of every month'],
    ['0 3 15W * *', 'At 03:00 on the weekday nearest the 15th of every month'],
    ['0 3 LW * *', 'At 03:00 on the last weekday of every month'],
    ['0 3 1,15W,L * *', 'At 03:00 on the 1st, the weekday nearest the 15th and the last day of every month'],
    ['@yearly', 'At 00:00 on the 1st of January'],
    ['@monthly', 'At 00:00 on the 1st of every month'],
    ['@weekly', 'At 00:00 on Sunday'],
    ['0 0 29 2 *', 'At 00:00 on the 29th of February'],
    ['0 3 * 1-3 *', 'Daily at 03:00 in January through March'],
    ['0 3 * 6 0', 'At 03:00 on Sunday in June'],
    ['0 3 1 6,7 *', 'At 03:00 on the 1st of June and July'],
    ['0 3 1 * 1', 'At 03:00 on the 1st of every month, or on Monday'],
    ['0 3 1 6 1', 'At 03:00 on the 1st of June, or on Monday in June'],
    ['0 3 1 6 1#1', 'At 03:00 on the 1st of June, or on the first Monday of June'],
    ['0 3 */2 * 1', 'At 03:00 on every 2nd day from the 1st of every month, only if that is Monday'],
    ['0 3 1-31 * 1', 'Daily at 03:00'],
    ['1-5,10 2,4 * * *', 'When the minute is 1 through 5 or 10 and the hour is 2 or 4'],
    ['* 2,4 * * *', 'When the hour is 2 or 4'],
    ['15 1-10 3 * * *', 'When the second is 15, the minute is 1 through 10 and the hour is 3'],
    ['*/10 0 * * * *', 'When the second is 0, 10, 20, 30, 40 or 50 and the minute is 0'],
    ['0 0-7,20 * * *', 'When the minute is 0 and the hour is 0 through 7 or 20'],
  ])('says %s as "%s"', (cron, words) => {
    expect(describeSchedule(parseSchedule({ cron }))).toBe(words)
  })

  it('says that both day fields must match when they must', () => {
    const schedule = parseSchedule({ cron: '0 3 1-7 * 1,2', dayMatch: 'and' })
    expect(describeSchedule(schedule)).toBe(
      'At 03:00 on the 1st through 7th of every month, only if that is Monday or Tuesday',
    )
  })

  it.each([
    ['15m', 'Every 15 minutes'],
    ['1h', 'Every hour'],
    ['90m', 'Every 90 minutes'],
    ['1d', 'Every day'],
    ['7d', 'Every 7 days'],
    ['36h', 'Every 36 hours'],
    [1500, 'Every 1.5 seconds'],
    [1000, 'Every second'],
  ] as const)('says every %s as "%s"', (every, words) => {
    expect(describeSchedule(parseSchedule({ every }))).toBe(words)
  })

  it('says from where an interval is counted when that is not a round instant', () => {
    expect(describeSchedule(parseSchedule({ every: '1d', anchor: '2027-01-01T09:00:00Z' }))).toBe(
      'Every day, counted from 2027-01-01T09:00Z',
    )
    expect(describeSchedule(parseSchedule({ every: '1h', anchor: '2027-01-01T09:00:00Z' }))).toBe('Every hour')
  })
})
