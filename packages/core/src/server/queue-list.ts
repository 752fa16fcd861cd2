import { QError } from '../errors.ts'
import { checkPattern, isPattern, matchesPattern } from './queue-pattern.ts'

/** Queues in strict order; or each with its own share of the slots, served in turn. */
export type ServerQueues = readonly string[] | Readonly<Record<string, number | { readonly concurrency: number }>>

interface Entry {
  readonly pattern: string
  readonly limit: number
}

/** The queues a server listens to: wildcards resolved against the queues that exist. */
export class QueueList {
  readonly #entries: readonly Entry[]
  readonly #inTurn: boolean
  #names: readonly string[] = []
  #turn = 0
  /** The exact queues, each with the entry that lets it in. */
  #resolved: readonly { readonly name: string; readonly entry: Entry }[] = []

  constructor(queues: ServerQueues) {
    this.#inTurn = !Array.isArray(queues)
    this.#entries = Array.isArray(queues)
      ? (queues as readonly string[]).map((pattern) => ({ pattern: checkPattern(pattern), limit: Infinity }))
      : Object.entries(queues).map(([pattern, share]) => ({
          pattern: checkPattern(pattern),
          limit: checkShare(pattern, share),
        }))
    if (this.#entries.length === 0)
      throw new QError(
        'Q_OPTION_INVALID',
        'A server without queues would never run anything. Leave `queues` out to serve the queues of its jobs.',
      )
    this.resolve([])
  }

  /** As given, for people. */
  get patterns(): readonly string[] {
    return this.#entries.map(({ pattern }) => pattern)
  }

  get hasWildcards(): boolean {
    return this.#entries.some(({ pattern }) => isPattern(pattern))
  }

  get names(): readonly string[] {
    return this.#resolved.map(({ name }) => name)
  }

  /** The first entry that matches a queue decides about it. */
  resolve(existing: readonly string[]): void {
    this.#names = existing
    const seen = new Set<string>()
    this.#resolved = this.#entries.flatMap((entry) => {
      const matching = isPattern(entry.pattern)
        ? this.#names.filter((name) => matchesPattern(entry.pattern, name))
        : [entry.pattern]
      return matching.filter((name) => !seen.has(name) && seen.add(name)).map((name) => ({ name, entry }))
    })
  }

  /** What to claim from, in order, given how many jobs of each entry are here. In turn: the list begins elsewhere each time. */
  claimOrder(
    heldByQueue: ReadonlyMap<string, number>,
    free: number,
  ): { readonly name: string; readonly max: number }[] {
    const held = new Map<Entry, number>()
    for (const { name, entry } of this.#resolved) held.set(entry, (held.get(entry) ?? 0) + (heldByQueue.get(name) ?? 0))
    const open = this.#resolved
      .map(({ name, entry }) => ({ name, max: Math.min(free, entry.limit - (held.get(entry) ?? 0)) }))
      .filter(({ max }) => max > 0)
    if (!this.#inTurn || open.length < 2) return open
    const start = this.#turn++ % open.length
    return [...open.slice(start), ...open.slice(0, start)]
  }

  /** Whether every job that fits into the server's slots also fits into its queue's share. */
  get isPlain(): boolean {
    return !this.#inTurn
  }
}

function checkShare(pattern: string, share: number | { readonly concurrency: number }): number {
  const limit = typeof share === 'number' ? share : share.concurrency
  if (Number.isInteger(limit) && limit >= 1) return limit
  throw new QError(
    'Q_OPTION_INVALID',
    `The concurrency of queue "${pattern}" is ${limit}; it must be a whole number from 1. Leave a queue out to not serve it.`,
  )
}
