import { describe, expect, test } from 'vitest'
import type { Clock } from '../clock.ts'
import { systemClock } from '../clock.ts'
import { storageTime } from './storage-time.ts'

describe('the time of the memory storage', () => {
  test('follows the wall clock, and goes on at its pace when somebody turns that back', () => {
    let [wall, monotonic] = [10_000, 500.5]
    const clock: Clock = { ...systemClock, now: () => wall, monotonic: () => monotonic }
    const time = storageTime(clock)
    const pass = (ms: number): number => {
      wall += ms
      monotonic += ms
      return time()
    }
    expect([time(), pass(1_000), pass(0.25)]).toEqual([10_000, 11_000, 11_000.25])
    wall -= 3_600_000.25
    expect(time()).toBe(11_000.25)
    expect(pass(2_000)).toBe(13_000)
    expect(pass(2_000)).toBe(15_000)
    wall += 7_200_000
    expect(time()).toBe(wall)
    expect(pass(5)).toBe(wall)
  })
})
