import { describe, expect, test } from 'vitest'
import { DueHeap } from './due-heap.ts'

interface Item {
  dueAt: number
}

function newHeap(): DueHeap<Item> {
  return new DueHeap((item, at) => item.dueAt === at)
}

describe('a heap of what is due', () => {
  test('gives out what is due, earliest first, and nothing before its time', () => {
    const heap = newHeap()
    for (let n = 0; n < 1_000; n++) heap.push((n * 619) % 1_000, { dueAt: (n * 619) % 1_000 })
    const due: number[] = []
    for (let item = heap.popDue(499); item !== undefined; item = heap.popDue(499)) due.push(item.dueAt)
    expect(due).toEqual(Array.from({ length: 500 }, (_, n) => n))
    expect(heap.nextAt()).toBe(500)
  })

  test('forgets an item that has changed its mind', () => {
    const heap = newHeap()
    const item = { dueAt: 5 }
    heap.push(5, item)
    item.dueAt = 9
    heap.forget()
    heap.push(9, item)
    expect(heap.nextAt()).toBe(9)
    expect(heap.popDue(9)).toBe(item)
    expect(heap.nextAt()).toBeUndefined()
  })

  test('does not grow with minds that change for ever', () => {
    const heap = newHeap()
    const items = Array.from({ length: 10 }, () => ({ dueAt: 0 }))
    for (const item of items) heap.push(0, item)
    for (let round = 1; round <= 10_000; round++) {
      const item = items[round % 10]!
      item.dueAt = round
      heap.forget()
      heap.push(round, item)
    }
    expect(heap.size).toBeLessThan(200)
    expect(heap.nextAt()).toBe(9_991)
  })
})
