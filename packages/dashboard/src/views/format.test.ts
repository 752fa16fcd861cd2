import { expect, test } from 'vitest'
import { bytes, compact, duration, percent, plural, rate, roughly } from './format.ts'

const plain = (text: string): string => text.replaceAll('\u00a0', ' ')

test('counts are exact below ten thousand and short above', () => {
  expect([0, 999, 9999, 10_000, 19_800, 123_456, 1_020_000, 999_499, 999_500, 5e9].map(compact)).toEqual([
    '0',
    '999',
    '9,999',
    '10.0k',
    '19.8k',
    '123k',
    '1.02M',
    '999k',
    '1.00M',
    '5.00G',
  ])
})

test('durations have at most two units, and never 60 of one', () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, '0 ms'],
    [0.4, '<1 ms'],
    [310, '310 ms'],
    [999.4, '999 ms'],
    [1200, '1.2 s'],
    [9940, '9.9 s'],
    [9960, '10 s'],
    [59_400, '59 s'],
    [59_600, '1 min'],
    [250_000, '4 min 10 s'],
    [3_599_600, '1 h'],
    [7_380_000, '2 h 3 min'],
    [86_400_000, '1 d'],
    [273_600_000, '3 d 4 h'],
  ]
  for (const [ms, text] of cases) expect(plain(duration(ms))).toBe(text)
  for (let ms = 1; ms < 4e8; ms = Math.ceil(ms * 1.013))
    expect(plain(duration(ms))).not.toMatch(/\b60 (s|min)|\b24 h|1000 ms/)
})

test('how long ago takes one unit', () => {
  expect([400, 59_000, 60_000, 3_600_000, 40 * 3_600_000, 72 * 3_600_000].map((ms) => plain(roughly(ms)))).toEqual([
    '0 s',
    '59 s',
    '1 min',
    '1 h',
    '40 h',
    '3 d',
  ])
})

test('rates are per second, minute or hour, whichever has a figure', () => {
  expect([0, 42, 3.14, 0.05, 0.001, 12_345].map(rate)).toEqual(['0/s', '42/s', '3.1/s', '3/min', '3.6/h', '12.3k/s'])
})

test('shares, sizes and numbers of things', () => {
  expect([0, 0.021, 0.5, 1].map(percent)).toEqual(['0 %', '2.1 %', '50 %', '100 %'])
  expect([12, 1400, 1_400_000].map(bytes)).toEqual(['12 B', '1.4 kB', '1.4 MB'])
  expect([plural(1, 'job'), plural(2, 'job'), plural(0, 'query', 'queries')]).toEqual(['1 job', '2 jobs', '0 queries'])
})
