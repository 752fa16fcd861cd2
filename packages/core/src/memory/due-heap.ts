import type { Ms } from '../storage/job.ts'

/**
 * Items by the instant something is due. Nothing is ever looked for in here: an item that has changed its mind stays
 * until it surfaces, and `isLive` tells that it is not meant any more.
 */
export class DueHeap<T> {
  readonly #isLive: (item: T, at: Ms) => boolean
  #instants: Ms[] = []
  #items: T[] = []
  #dead = 0

  constructor(isLive: (item: T, at: Ms) => boolean) {
    this.#isLive = isLive
  }

  get size(): number {
    return this.#items.length
  }

  push(at: Ms, item: T): void {
    let index = this.#items.length
    this.#instants.push(at)
    this.#items.push(item)
    while (index > 0) {
      const parent = (index - 1) >>> 1
      if (this.#instants[parent]! <= at) break
      this.#set(index, this.#instants[parent]!, this.#items[parent]!)
      index = parent
    }
    this.#set(index, at, item)
  }

  /** Tells that one item in here is dead. When most are, they are thrown out, so that changed minds cannot pile up. */
  forget(): void {
    if (++this.#dead < 64 || this.#dead * 2 < this.#items.length) return
    const [instants, items] = [this.#instants, this.#items]
    this.#instants = []
    this.#items = []
    this.#dead = 0
    for (const [index, item] of items.entries()) {
      if (this.#isLive(item, instants[index]!)) this.push(instants[index]!, item)
    }
  }

  nextAt(): Ms | undefined {
    while (this.#items.length > 0) {
      if (this.#isLive(this.#items[0]!, this.#instants[0]!)) return this.#instants[0]
      this.#dead = Math.max(0, this.#dead - 1)
      this.#removeFirst()
    }
    return undefined
  }

  /** The earliest item, if it is due. */
  popDue(now: Ms): T | undefined {
    const at = this.nextAt()
    if (at === undefined || at > now) return undefined
    const item = this.#items[0]!
    this.#removeFirst()
    return item
  }

  #removeFirst(): void {
    const at = this.#instants.pop()!
    const item = this.#items.pop()!
    const size = this.#items.length
    if (size === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= size) break
      if (child + 1 < size && this.#instants[child + 1]! < this.#instants[child]!) child++
      if (this.#instants[child]! >= at) break
      this.#set(index, this.#instants[child]!, this.#items[child]!)
      index = child
    }
    this.#set(index, at, item)
  }

  #set(index: number, at: Ms, item: T): void {
    this.#instants[index] = at
    this.#items[index] = item
  }
}
