const chunkSize = 512

/**
 * A sorted list without equal items, cut into chunks: adding at the end and taking from the front cost next to nothing,
 * anywhere else two binary searches and a short move. A key has the fields that are compared, so that a list can also
 * be entered where no item is any more (a page's cursor). What is compared must not change while an item is in here.
 */
export class OrderedList<Key, T extends Key> {
  readonly #compare: (a: Key, b: Key) => number
  readonly #chunks: T[][] = []
  #size = 0

  constructor(compare: (a: Key, b: Key) => number) {
    this.#compare = compare
  }

  get size(): number {
    return this.#size
  }

  first(): T | undefined {
    return this.#chunks[0]?.[0]
  }

  add(item: T): void {
    this.#size++
    const last = this.#chunks.at(-1)
    if (last === undefined || this.#compare(last[last.length - 1]!, item) < 0) {
      if (last === undefined || last.length >= chunkSize) this.#chunks.push([item])
      else last.push(item)
      return
    }
    const index = this.#chunkOf(item)
    const chunk = this.#chunks[index]!
    chunk.splice(this.#placeIn(chunk, item), 0, item)
    if (chunk.length >= 2 * chunkSize) this.#chunks.splice(index + 1, 0, chunk.splice(chunkSize))
  }

  /** False when it was not in here. */
  delete(item: T): boolean {
    const front = this.#chunks[0]
    if (front === undefined) return false
    if (front[0] === item) {
      front.shift()
      if (front.length === 0) this.#chunks.shift()
      this.#size--
      return true
    }
    const index = this.#chunkOf(item)
    const chunk = this.#chunks[index]
    const place = chunk === undefined ? 0 : this.#placeIn(chunk, item)
    if (chunk?.[place] !== item) return false
    chunk.splice(place, 1)
    if (chunk.length === 0) this.#chunks.splice(index, 1)
    this.#size--
    return true
  }

  /** How many items stand before this key. */
  rank(key: Key): number {
    const index = this.#chunkOf(key)
    let before = 0
    for (let i = 0; i < index; i++) before += this.#chunks[i]!.length
    const chunk = this.#chunks[index]
    return chunk === undefined ? before : before + this.#placeIn(chunk, key)
  }

  /** From the first item after `key`, or from the start. The list must not change meanwhile. */
  *after(key?: Key): Generator<T, undefined> {
    let index = key === undefined ? 0 : this.#chunkOf(key)
    const entry = this.#chunks[index]
    let place = key === undefined || entry === undefined ? 0 : this.#placeIn(entry, key)
    const found = entry?.[place]
    if (key !== undefined && found !== undefined && this.#compare(found, key) === 0) place++
    for (; index < this.#chunks.length; index++, place = 0) {
      const chunk = this.#chunks[index]!
      for (; place < chunk.length; place++) yield chunk[place]!
    }
    return undefined
  }

  /** The first chunk whose last item is not before the key. */
  #chunkOf(key: Key): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const chunk = this.#chunks[middle]!
      if (this.#compare(chunk[chunk.length - 1]!, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #placeIn(chunk: readonly T[], key: Key): number {
    let low = 0
    let high = chunk.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(chunk[middle]!, key) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}
