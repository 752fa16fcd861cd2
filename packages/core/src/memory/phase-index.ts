import type { JobId, Ms } from '../storage/job.ts'

/** Where pages are cut: the instant the present state was entered, then the id. */
export interface EntryKey {
  readonly id: JobId
  readonly enteredAt: Ms
}

export interface Indexed extends EntryKey {
  /** Where it stands in here; written by the index alone. */
  chunk: Chunk | null
  slot: number
}

/** Jobs of neighbouring instants. No two chunks share a millisecond. */
interface Chunk {
  firstAt: Ms
  lastAt: Ms
  readonly jobs: Indexed[]
  sorted: boolean
}

const chunkSize = 512

/**
 * The jobs of one phase by (entered at, id). Time only grows, so jobs are appended, and they leave by swapping places:
 * a running job pays nearly nothing for being listed. Only a reader sorts, and only the chunks it looks at.
 */
export class PhaseIndex<T extends Indexed> {
  readonly #chunks: Chunk[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  add(job: T): void {
    let chunk = this.#chunks.at(-1)
    const at = job.enteredAt
    if (chunk === undefined || (chunk.jobs.length >= chunkSize && chunk.lastAt !== at)) {
      chunk = { firstAt: at, lastAt: at, jobs: [], sorted: false }
      this.#chunks.push(chunk)
    }
    if (chunk.jobs.length === 0) chunk.firstAt = at
    chunk.lastAt = at
    chunk.sorted = false
    job.chunk = chunk
    job.slot = chunk.jobs.length
    chunk.jobs.push(job)
    this.#size++
  }

  remove(job: T): void {
    const chunk = job.chunk!
    const last = chunk.jobs.pop()!
    if (last !== job) {
      chunk.jobs[job.slot] = last
      last.slot = job.slot
      chunk.sorted = false
    }
    job.chunk = null
    this.#size--
    if (chunk.jobs.length > 0 || chunk === this.#chunks.at(-1)) return
    if (this.#chunks[0] === chunk) this.#chunks.shift()
    else this.#chunks.splice(this.#chunkAt(chunk.lastAt), 1)
  }

  /** From the first job older than `key`, or from the newest. The index must not change meanwhile. */
  *newest(key?: EntryKey): Generator<T, undefined> {
    let index = key === undefined ? this.#chunks.length - 1 : this.#chunkAt(key.enteredAt)
    if (index === this.#chunks.length) index--
    for (; index >= 0; index--) {
      const jobs = this.#sorted(index)
      let slot = jobs.length - 1
      if (key !== undefined) while (slot >= 0 && compareEntries(jobs[slot]!, key) >= 0) slot--
      for (; slot >= 0; slot--) yield jobs[slot]!
    }
    return undefined
  }

  /** From the first job newer than `key`, or from the oldest. The index must not change meanwhile. */
  *oldest(key?: EntryKey): Generator<T, undefined> {
    for (let index = key === undefined ? 0 : this.#chunkAt(key.enteredAt); index < this.#chunks.length; index++) {
      const jobs = this.#sorted(index)
      let slot = 0
      if (key !== undefined) while (slot < jobs.length && compareEntries(jobs[slot]!, key) <= 0) slot++
      for (; slot < jobs.length; slot++) yield jobs[slot]!
    }
    return undefined
  }

  /** The first chunk that does not end before this instant. */
  #chunkAt(at: Ms): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#chunks[middle]!.lastAt < at) low = middle + 1
      else high = middle
    }
    return low
  }

  #sorted(index: number): readonly T[] {
    const chunk = this.#chunks[index]!
    if (!chunk.sorted) {
      chunk.jobs.sort(compareEntries)
      for (const [slot, job] of chunk.jobs.entries()) job.slot = slot
      chunk.sorted = true
    }
    // Only `add` fills the chunks, with T.
    return chunk.jobs as T[]
  }
}

export function compareEntries(a: EntryKey, b: EntryKey): number {
  if (a.enteredAt !== b.enteredAt) return a.enteredAt - b.enteredAt
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}
