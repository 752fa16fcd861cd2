import { describe, expect, test } from 'vitest'
import { OrderedList } from './ordered-list.ts'

interface Item {
  readonly at: number
}

function newList(): OrderedList<Item, Item> {
  return new OrderedList((a, b) => a.at - b.at)
}

describe('an ordered list', () => {
  test('keeps its order through thousands of changes in any place', () => {
    const list = newList()
    const items = Array.from({ length: 5_000 }, (_, n) => ({ at: (n * 7_919) % 5_000 }))
    for (const item of items) list.add(item)
    const removed = items.filter(({ at }) => at % 3 === 0)
    for (const item of removed) expect(list.delete(item)).toBe(true)
    for (const item of removed) expect(list.delete(item)).toBe(false)
    const left = items.filter((item) => !removed.includes(item)).toSorted((a, b) => a.at - b.at)
    expect([...list.after()]).toEqual(left)
    expect(list.size).toBe(left.length)
    expect(list.first()).toBe(left[0])
  })

  test('is entered behind a key, whether or not an item is there', () => {
    const list = newList()
    for (let at = 0; at < 4_000; at += 2) list.add({ at })
    for (const at of [-1, 0, 1, 1_022, 1_023, 1_024, 3_997, 3_998]) {
      const expected = Array.from({ length: 2_000 }, (_, n) => 2 * n).filter((other) => other > at)
      expect([...list.after({ at })].map((item) => item.at)).toEqual(expected)
      expect(list.rank({ at })).toBe(2_000 - expected.length - (at >= 0 && at % 2 === 0 ? 1 : 0))
    }
  })

  test('is emptied from the front as it was filled', () => {
    const list = newList()
    for (let at = 0; at < 3_000; at++) list.add({ at })
    for (let at = 0; at < 3_000; at++) {
      const first = list.first()!
      expect(first.at).toBe(at)
      list.delete(first)
    }
    expect([list.size, list.first(), [...list.after()]]).toEqual([0, undefined, []])
  })
})
