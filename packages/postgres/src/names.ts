import type { Connections } from './connection.ts'
import { intern, jobsByName, nameOfNumber, queueOfNumber, queuesByName } from './statements/names.ts'

/** Tags are forgotten when no job has them, so whoever uses one says so again from time to time. */
const tagsMs = 60_000

/**
 * Queues and job names are stored as small numbers. Numbers never change and are never taken back, so what is known
 * once stays known. New names are committed by themselves: a caller's open transaction never makes anybody wait for one.
 */
export class Names {
  readonly #connections: Connections
  readonly #queues = new Map<string, number>()
  readonly #names = new Map<string, number>()
  readonly #tags = new Set<string>()
  #tagsSince = performance.now()
  readonly #queueOf = new Map<number, string>()
  readonly #nameOf = new Map<number, string>()
  readonly #onGrown: () => void

  constructor(connections: Connections, onGrown: () => void) {
    this.#connections = connections
    this.#onGrown = onGrown
  }

  queue(name: string): number {
    return known(this.#queues.get(name), name)
  }

  name(name: string): number {
    return known(this.#names.get(name), name)
  }

  /** Sees to it that all of these have numbers. There is nothing to wait for when they are known. */
  learn(
    queues: Iterable<string>,
    names: Iterable<string> = [],
    tags: Iterable<string> = [],
  ): Promise<void> | undefined {
    const newQueues = missingOf(queues, this.#queues)
    const newNames = missingOf(names, this.#names)
    if (performance.now() - this.#tagsSince > tagsMs) {
      this.#tags.clear()
      this.#tagsSince = performance.now()
    }
    const newTags = missingOf(tags, this.#tags)
    if (newQueues.length === 0 && newNames.length === 0 && newTags.length === 0) return undefined
    return this.#intern(newQueues, newNames, newTags)
  }

  async #intern(newQueues: readonly string[], newNames: readonly string[], newTags: readonly string[]): Promise<void> {
    const [row] = await this.#connections.write(intern, [newQueues, newNames, newTags])
    for (const [name, num] of Object.entries(row?.queues ?? {})) remember(this.#queues, this.#queueOf, name, num)
    for (const [name, num] of Object.entries(row?.names ?? {})) remember(this.#names, this.#nameOf, name, num)
    for (const tag of newTags) this.#tags.add(tag)
    if (row?.grown === true) this.#onGrown()
  }

  /** Sees to it that these numbers can be told by name: another process may have made them. */
  async recall(queues: Iterable<number>, names: Iterable<number> = []): Promise<void> {
    const newQueues = missingOf(queues, this.#queueOf)
    const newNames = missingOf(names, this.#nameOf)
    if (newQueues.length > 0) {
      for (const { num, name } of await this.#connections.read(queueOfNumber, [newQueues])) {
        remember(this.#queues, this.#queueOf, name, num)
      }
    }
    if (newNames.length > 0) {
      for (const { num, name } of await this.#connections.read(nameOfNumber, [newNames])) {
        remember(this.#names, this.#nameOf, name, num)
      }
    }
  }

  /** The numbers of those that exist; of all for null. */
  async queuesNamed(names: readonly string[] | null): Promise<readonly number[]> {
    const rows = await this.#connections.read(queuesByName, [names])
    for (const { num, name } of rows) remember(this.#queues, this.#queueOf, name, num)
    return rows.map(({ num }) => num)
  }

  async jobsNamed(names: readonly string[]): Promise<readonly number[]> {
    const rows = await this.#connections.read(jobsByName, [names])
    for (const { num, name } of rows) remember(this.#names, this.#nameOf, name, num)
    return rows.map(({ num }) => num)
  }

  queueOf(num: number): string {
    return this.#queueOf.get(num) ?? ''
  }

  nameOf(num: number): string {
    return this.#nameOf.get(num) ?? ''
  }
}

function remember(numbers: Map<string, number>, names: Map<number, string>, name: string, num: number): void {
  numbers.set(name, num)
  names.set(num, name)
}

function missingOf<T>(wanted: Iterable<T>, have: { has(item: T): boolean }): T[] {
  const missing = new Set<T>()
  for (const item of wanted) if (!have.has(item)) missing.add(item)
  return [...missing]
}

function known(num: number | undefined, name: string): number {
  if (num === undefined) throw new TypeError(`"${name}" has no number yet`)
  return num
}
