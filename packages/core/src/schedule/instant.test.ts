import { describe, expect, it } from 'vitest'
import { type Instant, parseInstant } from './instant.ts'

const at = Date.UTC(2027, 2, 28, 1)

describe('parseInstant', () => {
  it.each([
    [new Date(at), at],
    [at, at],
    [at + 0.9, at],
    [{ epochMilliseconds: at }, at],
    ['2027-03-28T01:00:00Z', at],
    ['2027-03-28T01:00Z', at],
    ['2027-03-28T03:00:00.000+02:00', at],
  ])('reads %s', (value, ms) => {
    expect(parseInstant(value, 'at')).toBe(ms)
  })

  it.each([
    ['2027-03-28T01:00:00', 'zone'],
    ['2027-03-28', 'zone'],
    ['28 March 2027', 'zone'],
    ['tomorrow', 'zone'],
    ['2027-02-30T01:00:00Z', 'no such day'],
    ['2027-13-01T01:00:00Z', 'no such day'],
    ['2027-03-28T25:00:00Z', 'not a valid date'],
    [new Date(Number.NaN), 'not a valid date'],
    [Number.NaN, 'not a valid date'],
    [9e15, 'not a valid date'],
    [null, 'not an instant'],
    [undefined, 'not an instant'],
    [true, 'not an instant'],
    [{ epochMilliseconds: '5' }, 'not a valid date'],
  ])('refuses %s, naming the option', (value, reason) => {
    const parse = () => parseInstant(value as Instant, 'at')
    expect(parse).toThrow(expect.objectContaining({ code: 'Q_OPTION_INVALID' }))
    expect(parse).toThrow('"at" cannot be')
    expect(parse).toThrow(reason)
  })

  it('refuses a text of any length at once', () => {
    expect(() => parseInstant(`2027-03-28T01:00:00.${'0'.repeat(100_000)}Z`, 'at')).toThrow('"at" cannot be')
  })
})
