import type { Timer } from '@q/core/storage'

export interface Waiting extends Timer {
  readonly at: number
  readonly fire: () => void
}

interface Entry extends Waiting {
  readonly order: number
  isCancelled: boolean
}

/** Timers by the instant they are due; those of one instant in the order in which they were set. */
export class TimerHeap {
  readonly #entries: Entry[] = []
  #set = 0
  #cancelled = 0

  get size(): number {
    return this.#entries.length - this.#cancelled
  }

  add(at: number, fire: () => void): Timer {
    const entry: Entry = { at, fire, order: ++this.#set, isCancelled: false, cancel: () => this.#cancel(entry) }
    this.#entries.push(entry)
    this.#up(this.#entries.length - 1)
    return entry
  }

  /** The next one, which stays here. */
  peek(): Waiting | undefined {
    for (let first = this.#entries[0]; first?.isCancelled; first = this.#entries[0]) {
      this.#cancelled--
      this.#shift()
    }
    return this.#entries[0]
  }

  /** The next one, taken out. */
  take(): Waiting | undefined {
    const first = this.peek()
    if (first === undefined) return undefined
    this.#shift()
    // It is too late to cancel it.
    ;(first as Entry).isCancelled = true
    return first
  }

  #cancel(entry: Entry): void {
    if (entry.isCancelled) return
    entry.isCancelled = true
    this.#cancelled++
  }

  #shift(): void {
    const last = this.#entries.pop()!
    if (this.#entries.length === 0) return
    this.#entries[0] = last
    this.#down()
  }

  #up(from: number): void {
    for (let at = from; at > 0;) {
      const parent = (at - 1) >>> 1
      if (!this.#swapIfBefore(at, parent)) return
      at = parent
    }
  }

  #down(): void {
    for (let at = 0; ;) {
      let child = 2 * at + 1
      if (child >= this.#entries.length) return
      if (child + 1 < this.#entries.length && isBefore(this.#entries[child + 1]!, this.#entries[child]!)) child++
      if (!this.#swapIfBefore(child, at)) return
      at = child
    }
  }

  #swapIfBefore(lower: number, upper: number): boolean {
    const [below, above] = [this.#entries[lower]!, this.#entries[upper]!]
    if (!isBefore(below, above)) return false
    this.#entries[upper] = below
    this.#entries[lower] = above
    return true
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
