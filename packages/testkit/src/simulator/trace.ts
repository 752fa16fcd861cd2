import { createHash } from 'node:crypto'

/** Everything that happened in a run, as one number: two runs of a seed that differ anywhere have different ones. */
export class Trace {
  readonly #lines: string[] | null
  readonly #hash = createHash('sha1')
  #events = 0

  /** With `keep` the events can be read afterwards. */
  constructor(keep: boolean) {
    this.#lines = keep ? [] : null
  }

  get events(): number {
    return this.#events
  }

  get lines(): readonly string[] {
    return this.#lines ?? []
  }

  get hash(): string {
    return this.#hash.copy().digest('hex')
  }

  add(at: number, who: string, what: string): void {
    this.#events++
    const line = `${at} ${who} ${what}`
    this.#hash.update(line)
    this.#lines?.push(line)
  }
}
