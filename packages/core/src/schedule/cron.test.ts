import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isQError } from '../errors.ts'
import { daysOfMonth, parseCron } from './cron.ts'

/** The days of a month on which an expression matches. */
function days(text: string, year: number, month: number, dayMatch: 'or' | 'and' = 'or'): number[] {
  const bits = daysOfMonth(parseCron(text, dayMatch), year, month)
  return Array.from({ length: 31 }, (_, i) => i + 1).filter((day) => (bits >>> (day - 1)) & 1)
}

function refusal(text: string): string {
  try {
    parseCron(text)
  } catch (error) {
    if (!isQError(error, 'Q_CRON_INVALID')) throw error
    return error.message
  }
  return 'accepted'
}

describe('the fields of a cron expression', () => {
  it('are five, or six with the second first', () => {
    expect(parseCron('5 4 * * *')).toMatchObject({
      second: { values: [0] },
      minute: { values: [5] },
      hour: { values: [4] },
    })
    expect(parseCron('6 5 4 * * *')).toMatchObject({
      second: { values: [6] },
      minute: { values: [5] },
      hour: { values: [4] },
    })
    expect(parseCron(' \t6  5 4 * * *\n').second.values).toEqual([6])
  })

  it.each([
    ['1,3,2,3', [1, 2, 3]],
    ['05', [5]],
    ['10-13', [10, 11, 12, 13]],
    ['*/20', [0, 20, 40]],
    ['50/5', [50, 55]],
    ['10-30/10', [10, 20, 30]],
    ['1-2,10-30/10,59', [1, 2, 10, 20, 30, 59]],
    ['*/60', [0]],
  ])('may list, span and step: minute %s', (field, values) => {
    expect(parseCron(`${field} * * * *`).minute.values).toEqual(values)
  })

  it.each([
    ['0', [0]],
    ['7', [0]],
    ['SUN', [0]],
    ['mon,Wed', [1, 3]],
    ['5-7', [0, 5, 6]],
    ['FRI-SUN', [0, 5, 6]],
    ['7-2', [0, 1, 2]],
    ['0-7', [0, 1, 2, 3, 4, 5, 6]],
    ['1-7/2', [0, 1, 3, 5]],
    ['*/2', [0, 2, 4, 6]],
    ['4/2', [4, 6]],
    ['?', [0, 1, 2, 3, 4, 5, 6]],
  ])('know the weekday by number and name, and Sunday as 0 and 7: %s', (field, values) => {
    expect(parseCron(`0 0 * * ${field}`).dayOfWeek.values).toEqual(values)
  })

  it('know the months by number and name', () => {
    expect(parseCron('0 0 1 JAN,mar-May,12 *').month.values).toEqual([1, 3, 4, 5, 12])
  })

  it.each([
    ['@yearly', '0 0 1 1 *'],
    ['@annually', '0 0 1 1 *'],
    ['@monthly', '0 0 1 * *'],
    ['@weekly', '0 0 * * 0'],
    ['@daily', '0 0 * * *'],
    ['@midnight', '0 0 * * *'],
    ['@hourly', '0 * * * *'],
    [' @Daily ', '0 0 * * *'],
  ])('may be a macro: %s', (macro, expression) => {
    expect(parseCron(macro)).toEqual(parseCron(expression))
  })

  it.each([
    ['0 3 * * *', false],
    ['0,30 3,4 * * *', false],
    ['5 0 3 1-5 */2 MON-FRI', false],
    ['0 * * * *', true],
    ['*/5 3 * * *', true],
    ['0 1-2 * * *', true],
    ['0 1,4-5 * * *', true],
    ['0 0/12 * * *', true],
    ['* 0 3 * * *', true],
  ])('repeat when second, minute or hour has a star, step or range: %s is %s', (text, isRepeating) => {
    expect(parseCron(text).isRepeating).toBe(isRepeating)
  })
})

describe('the days of a cron expression', () => {
  it('match either field when both are restricted', () => {
    expect(days('0 0 13 * 5', 2027, 8)).toEqual([6, 13, 20, 27])
    expect(days('0 0 1 * 5', 2027, 8)).toEqual([1, 6, 13, 20, 27])
  })

  it('match both fields when one starts with a star, also */2', () => {
    expect(days('0 0 * * 5', 2027, 8)).toEqual([6, 13, 20, 27])
    expect(days('0 0 ? * 5', 2027, 8)).toEqual([6, 13, 20, 27])
    expect(days('0 0 1 * *', 2027, 8)).toEqual([1])
    expect(days('0 0 */2 * 5', 2027, 8)).toEqual([13, 27])
    expect(days('0 0 1-10 * */2', 2027, 8)).toEqual([1, 3, 5, 7, 8, 10])
    expect(days('0 0 *,1 * 5', 2027, 8)).toEqual([6, 13, 20, 27])
  })

  it('match either field when a range covers every day, as cron does', () => {
    expect(days('0 0 1-31 * 5', 2027, 2)).toHaveLength(28)
  })

  it('match both fields when asked to', () => {
    expect(days('0 0 13 * 5', 2027, 8, 'and')).toEqual([13])
    expect(days('0 0 1-7 * 1', 2027, 8, 'and')).toEqual([2])
    expect(days('0 0 */2 * 5', 2027, 8, 'and')).toEqual([13, 27])
  })

  it.each([
    ['L', 2027, 2, [28]],
    ['L', 2028, 2, [29]],
    ['L', 2027, 8, [31]],
    ['L-3', 2027, 2, [25]],
    ['L-30', 2027, 8, [1]],
    ['L-30', 2027, 4, []],
    ['LW', 2027, 8, [31]],
    ['LW', 2027, 1, [29]],
    ['LW', 2027, 2, [26]],
    ['15W', 2027, 8, [16]],
    ['14W', 2027, 8, [13]],
    ['16W', 2027, 8, [16]],
    ['1W', 2027, 8, [2]],
    ['1W', 2027, 5, [3]],
    ['31W', 2027, 1, [29]],
    ['31W', 2027, 7, [30]],
    ['30W', 2027, 2, []],
    ['31W', 2027, 4, []],
    ['31', 2027, 4, []],
    ['29', 2027, 2, []],
    ['1,15W,L', 2027, 8, [1, 16, 31]],
  ])('know the day-of-month %s in %d-%d', (field, year, month, expected) => {
    expect(days(`0 0 ${field} * *`, year, month)).toEqual(expected)
  })

  it.each([
    ['5#2', 2027, 8, [13]],
    ['FRI#2', 2027, 8, [13]],
    ['0#1', 2027, 8, [1]],
    ['7#1', 2027, 8, [1]],
    ['1#5', 2027, 8, [30]],
    ['5#5', 2027, 8, []],
    ['5L', 2027, 8, [27]],
    ['TUEL', 2027, 8, [31]],
    ['7L', 2027, 8, [29]],
    ['1#1,3,5L', 2027, 8, [2, 4, 11, 18, 25, 27]],
  ])('know the day-of-week %s in %d-%d', (field, year, month, expected) => {
    expect(days(`0 0 * * ${field}`, year, month)).toEqual(expected)
  })

  it('keep the nearest weekday within its month, in every month', () => {
    for (let month = 1; month <= 48; month++) {
      for (let day = 1; day <= 31; day++) {
        const [found, ...more] = days(`0 0 ${day}W * *`, 2025, month % 12 || 12)
        expect(more).toEqual([])
        if (found === undefined) continue
        expect([1, 2, 3, 4, 5]).toContain(new Date(Date.UTC(2025, (month % 12 || 12) - 1, found)).getUTCDay())
        expect(Math.abs(found - day)).toBeLessThanOrEqual(day === 1 || day > 27 ? 2 : 1)
      }
    }
  })
})

describe('a cron expression is refused, with field and reason,', () => {
  it.each([
    ['60 * * * *', 'minute field "60"', '60 is not within 0 to 59'],
    ['60 0 0 * * *', 'second field "60"', 'not within 0 to 59'],
    ['0 24 * * *', 'hour field "24"', 'not within 0 to 23'],
    ['0 0 0 * *', 'day-of-month field "0"', 'not within 1 to 31'],
    ['0 0 32 * *', 'day-of-month field "32"', 'not within 1 to 31'],
    ['0 0 * 0 *', 'month field "0"', 'not within 1 to 12'],
    ['0 0 * 13 *', 'month field "13"', 'not within 1 to 12'],
    ['0 0 * * 8', 'day-of-week field "8"', 'not within 0 to 7'],
    ['0 0 * * MONDAY', 'day-of-week field "MONDAY"', 'a name from SUN to SAT'],
    ['0 0 * MAI *', 'month field "MAI"', 'a name from JAN to DEC'],
    ['MON * * * *', 'minute field "MON"', 'not a number'],
    ['-5 * * * *', 'minute field "-5"', 'not a number'],
    ['1.5 * * * *', 'minute field "1.5"', 'not a number'],
    ['H * * * *', 'minute field "H"', 'not a number'],
    ['1,,2 * * * *', 'minute field "1,,2"', 'missing beside a comma'],
    [', * * * *', 'minute field ","', 'missing beside a comma'],
    ['*/0 * * * *', 'minute field "*/0"', 'at least 1'],
    ['*/90 * * * *', 'minute field "*/90"', 'longer than the field (60); for a long interval use { every }'],
    ['*/ * * * *', 'minute field "*/"', 'not a whole number'],
    ['*/x * * * *', 'minute field "*/x"', 'not a whole number'],
    ['*/2/2 * * * *', 'minute field "*/2/2"', 'more than one step'],
    ['1-2-3 * * * *', 'minute field "1-2-3"', 'not a range'],
    ['0 22-2 * * *', 'hour field "22-2"', 'runs backwards'],
    ['0 0 * * SAT-MON', 'day-of-week field "SAT-MON"', 'runs backwards'],
    ['** * * * *', 'minute field "**"', 'not a number'],
    ['? * * * *', 'minute field "?"', '"?" can only stand alone, in a day field'],
    ['0 0 ?/2 * *', 'day-of-month field "?/2"', '"?" can only stand alone'],
    ['L * * * *', 'minute field "L"', 'not a number'],
    ['0 0 * L *', 'month field "L"', 'not a number'],
    ['0 0 L-31 * *', 'day-of-month field "L-31"', 'no month has a day 31 days before its last'],
    ['0 0 L-3W * *', 'day-of-month field "L-3W"', 'stand alone or in a list'],
    ['0 0 32W * *', 'day-of-month field "32W"', 'not within 1 to 31'],
    ['0 0 1-5W * *', 'day-of-month field "1-5W"', 'not a number'],
    ['0 0 5#2 * *', 'day-of-month field "5#2"', 'not a number'],
    ['0 0 * * L', 'day-of-week field "L"', 'write "6L" for the last Saturday'],
    ['0 0 * * 15W', 'day-of-week field "15W"', 'not a number'],
    ['0 0 * * 5#6', 'day-of-week field "5#6"', '"#6" is not within #1 to #5'],
    ['0 0 * * 5#', 'day-of-week field "5#"', 'not within #1 to #5'],
    ['0 0 * * 8#1', 'day-of-week field "8#1"', 'not within 0 to 7'],
    ['', '""', 'has no fields'],
    ['0', '"0"', 'has only 1 field.'],
    ['0 0 * *', '"0 0 * *"', 'has only 4 fields'],
    ['0 0 0 * * * 2027', '"0 0 0 * * * 2027"', 'has more than six fields'],
    ['@reboot', '"@reboot"', 'it names no time'],
    ['@fortnightly', '"@fortnightly"', 'not a known macro'],
    ['@constructor', '"@constructor"', 'not a known macro'],
    ['@daily *', '"@daily *"', 'not a known macro'],
  ])('when it is %j', (text, where, reason) => {
    expect(refusal(text)).toContain(where)
    expect(refusal(text)).toContain(reason)
  })

  it.each([
    ['0 0 30 2 *', 'the day-of-month field "30" names no day that exists in the months "2"'],
    ['0 0 31 4,6,9,11 *', 'in the months "4,6,9,11"'],
    ['0 0 31W FEB *', 'the day-of-month field "31W" names no day'],
    ['0 0 L-30 FEB *', 'the day-of-month field "L-30" names no day'],
  ])('when it never matches: %s', (text, reason) => {
    expect(refusal(text)).toContain('never matches')
    expect(refusal(text)).toContain(reason)
  })

  it('when its day fields never meet', () => {
    expect(() => parseCron('0 0 1-7 * 5#5', 'and')).toThrow(
      'the day-of-month field "1-7" and the day-of-week field "5#5" never meet on one day',
    )
    expect(days('0 0 30 2 1', 2027, 2)).toEqual([1, 8, 15, 22])
  })

  it('but not for matching on a rare day only', () => {
    expect(days('0 0 29 2 *', 2028, 2)).toEqual([29])
    expect(days('0 0 29 2 1', 2044, 2, 'and')).toEqual([29])
    expect(days('0 0 * 2 1#5', 2044, 2)).toEqual([29])
  })

  it.each([
    ['a number', 'minute', (n: number) => `${'1'.repeat(n)} * * * *`],
    ['a list', 'hour', (n: number) => `0 ${'1,'.repeat(n / 2)}1 * * *`],
    ['commas', 'day-of-month', (n: number) => `0 0 ${','.repeat(n)} * *`],
    ['dashes', 'month', (n: number) => `0 0 * ${'1-'.repeat(n / 2)} *`],
    ['steps', 'day-of-week', (n: number) => `0 0 * * ${'*/'.repeat(n / 2)}`],
    ['letters', 'second', (n: number) => `${'L'.repeat(n)} * * * * *`],
    ['many fields', 'more than six fields', (n: number) => '* '.repeat(n / 2)],
    ['blanks', 'no fields', (n: number) => ' '.repeat(n)],
    ['blanks in between', 'only 2 fields', (n: number) => `*${' '.repeat(n)}*`],
    ['a macro', 'not a known macro', (n: number) => `@${'a'.repeat(n)}`],
  ])('at once, however long the text: %s', (_, named, make) => {
    const text = make(100_000)
    const startedAt = performance.now()
    expect(refusal(text)).toContain(named)
    expect(performance.now() - startedAt).toBeLessThan(100)
    expect(refusal(text).length).toBeLessThan(400)
  })

  it('without repeating control characters', () => {
    expect(refusal('\u001B[31m\u202E\u0000 * * * *')).not.toMatch(/\p{C}/u)
  })

  it('and nothing but a refusal comes of any text', () => {
    const pieces = fc.constantFrom(
      ...'0 1 7 12 31 59 60 * / - , # L W ? JAN SUN @ MON#2 15W L-3'.split(' '),
      ' ',
      ' * * *',
    )
    const texts = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.array(pieces, { maxLength: 14 }).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        expect(refusal(text)).toMatch(/^(?:accepted$|The )/)
      }),
      { numRuns: 2000 },
    )
  })

  it('when it is no text at all', () => {
    for (const value of [null, undefined, 5, {}, ['*']]) {
      expect(() => parseCron(value as unknown as string)).toThrow('A cron expression is a text')
    }
  })
})
