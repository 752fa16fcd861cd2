import { describe, expect, test } from 'vitest'
import { nextTokenAt, takeToken, tokensLeft } from './rate.ts'

describe('a token bucket', () => {
  test.each([
    { max: 1, per: 1_000 },
    { max: 3, per: 1_000 },
    { max: 7, per: 10 },
    { max: 1_000, per: 60_000 },
  ])('of $max per $per ms never gives more than twice that in one span, and in the long run not less', (rate) => {
    let fullAt = 0
    const taken: number[] = []
    const from = 1_700_000_000_000
    const until = from + 20 * rate.per
    for (let now = from; now < until; now = nextTokenAt(rate, fullAt, now)) {
      for (; tokensLeft(rate, fullAt, now) > 0; taken.push(now)) fullAt = takeToken(rate, fullAt, now)
    }
    const spans = taken.slice(2 * rate.max).map((beyond, index) => beyond - taken[index]!)
    expect(Math.min(...spans)).toBeGreaterThanOrEqual(rate.per)
    const inTheLongRun = rate.max * 21
    expect(taken.length).toBeLessThanOrEqual(inTheLongRun)
    expect(taken.length).toBeGreaterThanOrEqual(inTheLongRun - rate.max)
  })

  test('is full after a long rest, and not fuller', () => {
    const rate = { max: 5, per: 1_000 }
    expect(tokensLeft(rate, 0, 1_700_000_000_000)).toBe(5)
    const fullAt = takeToken(rate, 0, 1_700_000_000_000)
    expect(tokensLeft(rate, fullAt, 1_700_000_000_000)).toBe(4)
    expect(tokensLeft(rate, fullAt, 1_700_000_000_199)).toBe(4)
    expect(tokensLeft(rate, fullAt, 1_700_000_000_200)).toBe(5)
  })
})
