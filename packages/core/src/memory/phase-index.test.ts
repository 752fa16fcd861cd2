import { describe, expect, test } from 'vitest'
import { type Indexed, PhaseIndex } from './phase-index.ts'

interface Entry extends Indexed {
  readonly id: string
  readonly enteredAt: number
}

function entry(n: number, enteredAt: number): Entry {
  return { id: String(n).padStart(8, '0'), enteredAt, chunk: null, slot: 0 }
}

/** Many of an instant, and ids that do not grow with time. */
function filled(count: number, perInstant: number): { index: PhaseIndex<Entry>; entries: Entry[] } {
  const index = new PhaseIndex<Entry>()
  const entries = Array.from({ length: count }, (_, n) => entry((n * 7_919) % count, Math.floor(n / perInstant)))
  for (const one of entries) index.add(one)
  return { index, entries }
}

function ordered(entries: readonly Entry[]): Entry[] {
  return entries.toSorted((a, b) => a.enteredAt - b.enteredAt || (a.id < b.id ? -1 : 1))
}

describe('the index of a phase', () => {
  test.each([1, 7, 5_000])('lists by instant, then id, both ways (%i of one instant)', (perInstant) => {
    const { index, entries } = filled(5_000, perInstant)
    expect([...index.oldest()]).toEqual(ordered(entries))
    expect([...index.newest()]).toEqual(ordered(entries).toReversed())
  })

  test('stays true while jobs come and go', () => {
    const { index, entries } = filled(5_000, 3)
    const gone = new Set(entries.filter((_, n) => n % 4 !== 1))
    for (const one of gone) index.remove(one)
    const late = Array.from({ length: 700 }, (_, n) => entry(n, 10_000))
    for (const one of late) index.add(one)
    const left = ordered([...entries.filter((one) => !gone.has(one)), ...late])
    expect([...index.oldest()]).toEqual(left)
    expect(index.size).toBe(left.length)
    for (const one of left) index.remove(one)
    expect([index.size, [...index.newest()]]).toEqual([0, []])
    index.add(entry(1, 20_000))
    expect([...index.oldest()]).toHaveLength(1)
  })

  test('goes on behind a key, also of a job that has left', () => {
    const { index, entries } = filled(3_000, 5)
    const all = ordered(entries)
    for (const place of [0, 1, 1_499, 2_998, 2_999]) {
      const key = all[place]!
      expect([...index.oldest(key)]).toEqual(all.slice(place + 1))
      expect([...index.newest(key)]).toEqual(all.slice(0, place).toReversed())
    }
    const key = all[1_500]!
    index.remove(key)
    expect(index.oldest(key).next().value).toBe(all[1_501])
    expect(index.newest(key).next().value).toBe(all[1_499])
  })
})
