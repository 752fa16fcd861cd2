import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Connections } from './connection.ts'
import type { Names } from './names.ts'
import { Pokes } from './pokes.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** How many notifications a process sends in a second, while something changes every millisecond and each takes so long. */
async function sentInASecond(eachTakesMs: number): Promise<number> {
  let sent = 0
  const server = {
    write: async () => {
      sent++
      await new Promise((resolve) => setTimeout(resolve, eachTakesMs))
      return []
    },
  }
  const pokes = new Pokes(server as unknown as Connections, {} as Names, 'channel')
  for (let ms = 0; ms < 1000; ms++) {
    pokes.tell(['n'])
    await vi.advanceTimersByTimeAsync(1)
  }
  return sent
}

test('a process spends a twentieth of its time on notifications, and sends some however slow the server is', async () => {
  // The first and the last may both fall into the second.
  for (const [eachTakesMs, most] of [
    [1, 50],
    [2, 25],
    [40, 20],
  ] as const) {
    const sent = await sentInASecond(eachTakesMs)
    expect(sent).toBeGreaterThanOrEqual(most)
    expect(sent).toBeLessThanOrEqual(most + 1)
  }
})

test('what changes after a pause is told at once', async () => {
  const told: number[] = []
  const server = { write: async () => void told.push(performance.now()) }
  const pokes = new Pokes(server as unknown as Connections, {} as Names, 'channel')
  for (let n = 0; n < 3; n++) {
    const changedAt = performance.now()
    pokes.tell(['n'])
    expect(told.at(-1)).toBe(changedAt)
    await vi.advanceTimersByTimeAsync(20)
  }
})
