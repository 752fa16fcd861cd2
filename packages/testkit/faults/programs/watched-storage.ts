import type { ApplyOutcome, Exchange, ExchangeResult, JobStorage, Reconciled, Transition } from '@q/core/storage'
import { QError, isFinalPhase, isQError } from '@q/core/storage'
import { machineMs } from '../evidence/entry.ts'
import type { Ledger } from '../evidence/ledger.ts'
import type { Swallowed } from './plan.ts'

/** Calls that write, of which a process may die in the middle. */
const writing = new Set(['create', 'exchange'])

export interface WatchOptions {
  /** Quicker answers are not worth a line. */
  readonly slowMs: number
  readonly hasPacemaker: boolean
  onSwallowed(method: Swallowed): void
}

/**
 * The storage as its process sees it, with every call on record: what was answered, how long it took, what was swallowed
 * on the way back. It changes nothing else.
 */
export class WatchedStorage {
  readonly storage: JobStorage
  readonly #ledger: Ledger
  readonly #slowMs: number
  readonly #onSwallowed: (method: Swallowed) => void
  readonly #toSwallow = new Map<string, number>()

  constructor(storage: JobStorage, ledger: Ledger, options: WatchOptions) {
    this.#onSwallowed = options.onSwallowed
    this.#ledger = ledger
    this.#slowMs = options.slowMs
    const rooms = new Map<PropertyKey, unknown>()
    for (const room of ['jobs', 'work', 'upkeep', 'recurring'] as const) {
      rooms.set(room, this.#watch(storage[room], options.hasPacemaker))
    }
    this.storage = new Proxy(storage, {
      get(target, key) {
        if (rooms.has(key)) return rooms.get(key)
        const value: unknown = Reflect.get(target, key, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  swallowNext(method: Swallowed): void {
    this.#toSwallow.set(method, (this.#toSwallow.get(method) ?? 0) + 1)
  }

  #watch(room: object, hasPacemaker: boolean): unknown {
    return new Proxy(room, {
      get: (target, key) => {
        if (key === 'pacemaker' && !hasPacemaker) return undefined
        const value: unknown = Reflect.get(target, key, target)
        if (typeof value !== 'function' || typeof key !== 'string') return value
        // These answer at once, without a promise.
        if (key === 'pacemaker' || key === 'createSync' || key === 'within') return value.bind(target)
        return (...args: readonly unknown[]) => this.#call(key, args, async () => value.apply(target, args))
      },
    })
  }

  async #call(method: string, args: readonly unknown[], send: () => Promise<unknown>): Promise<unknown> {
    if (method === 'open' && (args[0] as { replaces?: string }).replaces !== undefined) {
      this.#ledger.write({ k: 'lease lost', reason: 'a session takes the place of another' })
    }
    if (writing.has(method)) this.#ledger.write({ k: 'call', method })
    const sentAt = machineMs()
    let answer: unknown
    try {
      answer = await send()
    } catch (error) {
      const fail = isQError(error) ? error.code : String(error)
      this.#ledger.write({ k: 'back', method, ms: machineMs() - sentAt, fail })
      throw error
    }
    const ms = machineMs() - sentAt
    if (writing.has(method) || ms > this.#slowMs) this.#ledger.write({ k: 'back', method, ms })
    const left = this.#toSwallow.get(method) ?? 0
    if (left > 0) {
      this.#toSwallow.set(method, left - 1)
      this.#ledger.write({ k: 'swallowed', method })
      this.#onSwallowed(method as Swallowed)
      throw new QError('Q_AMBIGUOUS', 'The answer was lost on its way: the call may or may not have been applied.')
    }
    if (method === 'exchange') this.#noteOutcomes((args[0] as Exchange).apply, (answer as ExchangeResult).applied)
    if (method === 'reconcile') this.#noteOutcomes(args[2] as readonly Transition[], (answer as Reconciled).applied)
    return answer
  }

  #noteOutcomes(sent: readonly Transition[], outcomes: readonly (ApplyOutcome | { readonly ok: 'held' })[]): void {
    for (const [index, { id, token, to }] of sent.entries()) {
      const outcome = outcomes[index]?.ok
      if (token === undefined || outcome === undefined) continue
      const counts = outcome === 'applied' || outcome === 'already'
      if (counts && isFinalPhase(to.phase)) this.#ledger.write({ k: 'done', id, token, to: to.phase })
      if (outcome === 'stale') this.#ledger.write({ k: 'stale', id, token, to: to.phase })
    }
  }
}
