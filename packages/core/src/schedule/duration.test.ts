import { describe, expect, expectTypeOf, it } from 'vitest'
import { type Duration, parseDuration } from './duration.ts'

describe('parseDuration', () => {
  it.each([
    [0, 0],
    [1500, 1500],
    [1000 / 3, 333],
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['1.5h', 5_400_000],
    ['0s', 0],
  ] as const)('reads %s as %d ms', (value, ms) => {
    expect(parseDuration(value)).toBe(ms)
  })

  it.each([
    [-1, 'negative'],
    [Number.NaN, 'finite'],
    [Number.POSITIVE_INFINITY, 'finite'],
    [1e300, 'longer than 100 years'],
    ['40000d', 'longer than 100 years'],
    ['9'.repeat(39) + 'd', 'longer than 100 years'],
    ['-5m', 'negative'],
    ['', 'not a number'],
    ['5', "write '5ms' or '5s'"],
    ['5 m', 'not a number'],
    ['5min', 'not a number'],
    ['2w', 'not a number'],
    ['1e3s', 'not a number'],
    ['0x10s', 'not a number'],
    ['5M', 'not a number'],
    ['.5s', 'not a number'],
    [null, 'finite'],
    [undefined, 'finite'],
    [{}, 'finite'],
    [5n, 'finite'],
    [[5], 'finite'],
  ])('refuses %s', (value, reason) => {
    const parse = () => parseDuration(value as Duration, 'timeout')
    expect(parse).toThrow(expect.objectContaining({ code: 'Q_OPTION_INVALID' }))
    expect(parse).toThrow('"timeout" cannot be')
    expect(parse).toThrow(reason)
  })

  it('refuses a text of any length at once', () => {
    expect(() => parseDuration(`${'9'.repeat(100_000)}s` as Duration)).toThrow('too long')
  })

  it('tells the sum of a text with several units', () => {
    expect(() => parseDuration('1h30m' as Duration)).toThrow("write 5400000 or '5400s'")
  })

  it('keeps to the limits of its option', () => {
    expect(() => parseDuration('50ms', { option: 'every', minMs: 100 })).toThrow(
      '"every" cannot be "50ms": it is shorter',
    )
    expect(() => parseDuration('2h', { option: 'ttl', maxMs: 3_600_000 })).toThrow('"ttl" cannot be "2h": it is longer')
    expect(parseDuration('100ms', { minMs: 100, maxMs: 100 })).toBe(100)
  })

  it('has a type that knows the units', () => {
    expectTypeOf<'30s'>().toExtend<Duration>()
    expectTypeOf<'1h30m'>().not.toExtend<Duration>()
    expectTypeOf<'30'>().not.toExtend<Duration>()
    expectTypeOf<'soon'>().not.toExtend<Duration>()
  })
})
