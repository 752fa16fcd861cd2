import { describe, expect, it } from 'vitest'
import { withJitter } from './jitter.ts'

const minute = 60_000
const start = Date.UTC(2027, 0, 1)

describe('withJitter', () => {
  it('gives every server the same start for the same occurrence', () => {
    expect(withJitter('nightly', start, minute)).toBe(withJitter('nightly', start, minute))
    // Pinned: a new version must not start an occurrence again at another time than the old one beside it.
    expect(withJitter('nightly', start, minute) - start).toBe(39501)
  })

  it('leaves the occurrence alone when there is no jitter', () => {
    expect(withJitter('nightly', start, 0)).toBe(start)
  })

  it('stays within the jitter and spreads evenly over it', () => {
    for (const [ids, instants] of [
      [1, 10_000],
      [10_000, 1],
    ] as const) {
      const buckets = Array.from({ length: 10 }, () => 0)
      for (let i = 0; i < ids; i++) {
        for (let k = 0; k < instants; k++) {
          const delay = withJitter(`job-${i}`, start + k * minute, 999) - (start + k * minute)
          expect(delay >= 0 && delay <= 999).toBe(true)
          buckets[Math.floor(delay / 100)]!++
        }
      }
      for (const count of buckets) expect(count).toBeGreaterThan(850)
      for (const count of buckets) expect(count).toBeLessThan(1150)
    }
  })
})
