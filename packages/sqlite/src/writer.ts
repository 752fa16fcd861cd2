import { QError, isQError } from '@q/core/storage'
import { clock } from './clock.ts'
import type { Connection } from './connection.ts'
import { commitError, isBusy, isOutage, storageError } from './errors.ts'
import { statement } from './statement.ts'
import { type Store, beginCall, beginStep, endStep, forgetStep } from './store.ts'

interface Operation {
  readonly work: (store: Store) => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  readonly askedAt: number
}

const begin = statement<[]>(() => 'begin immediate')
const commit = statement<[]>(() => 'commit')
const rollback = statement<[]>(() => 'rollback')

/** So many calls share a commit, unless they take longer than this: others wait for the lock meanwhile. */
const mostTogether = 200
const longestStepMs = 5
/** A caller that awaits each of its calls is answered at once; but now and then the event loop has to turn. */
const mostWritesPerTurn = 4
/** How long a call comes again before it gives up on a file that others keep busy. */
const patienceMs = 10_000

/**
 * The only writer of its connection. Calls that arrive while nothing happens go out together, as soon as the code that
 * made them has come to its end; those that arrive right after share a commit when the event loop has turned.
 */
export class Writer {
  readonly #store: Store
  readonly #db: Connection
  readonly #path: string
  #waiting: Operation[] = []
  #scheduled = false
  /** How often something was written in this turn of the event loop. */
  #writes = 0
  /** Callers come one by one: gathering them would only make each wait. */
  #isSerial = true
  #idle: (() => void)[] = []
  #busySince: number | null = null

  constructor(store: Store, path: string) {
    this.#store = store
    this.#db = store.db
    this.#path = path
  }

  /** Carries out a call; resolves when it is committed. */
  run<T>(work: (store: Store) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ work, resolve: resolve as (value: unknown) => void, reject, askedAt: clock.monotonic() })
      this.#schedule()
    })
  }

  /** Carries out a call now. Whoever calls this cannot wait, so this waits for them, a little. */
  runSync<T>(work: (store: Store) => T): T {
    const startedAt = clock.monotonic()
    for (;;) {
      try {
        return this.#transact(() => this.#call(work))
      } catch (error) {
        if (!isBusy(error) || clock.monotonic() - startedAt > patienceMs / 2) throw storageError(error, this.#path)
        Atomics.wait(doze, 0, 0, 1 + clock.random())
      }
    }
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0 && !this.#scheduled && !this.#db.database.inTransaction
  }

  /** Resolves when every call that was made so far has its answer. */
  async drained(): Promise<void> {
    while (this.#waiting.length > 0 || this.#scheduled) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    const atOnce = this.#isSerial ? this.#writes < mostWritesPerTurn : this.#writes === 0
    if (atOnce) queueMicrotask(() => this.#flush())
    else setImmediate(() => this.#flush())
  }

  #flush(): void {
    this.#scheduled = false
    const group = this.#waiting.splice(0, mostTogether)
    if (group.length > 0) this.#write(group)
    this.#isSerial = group.length <= 1
    if (this.#writes++ === 0) setImmediate(() => (this.#writes = 0))
    if (this.#waiting.length > 0) this.#schedule()
    else if (!this.#scheduled) for (const tell of this.#idle.splice(0)) tell()
  }

  /** All of a group or nothing; whoever was not reached in time goes with the next one. */
  #write(group: Operation[]): void {
    const answers: { readonly operation: Operation; readonly error?: unknown; readonly value?: unknown }[] = []
    try {
      this.#transact(() => {
        const startedAt = clock.monotonic()
        for (const operation of group) {
          if (answers.length > 0 && clock.monotonic() - startedAt > longestStepMs) break
          answers.push(this.#answer(operation))
        }
      })
    } catch (error) {
      return this.#failed(group, error)
    }
    this.#busySince = null
    this.#waiting.unshift(...group.slice(answers.length))
    for (const { operation, error, value } of answers) {
      if (error === undefined) operation.resolve(value)
      else operation.reject(error)
    }
  }

  /** Our own refusals are thrown before anything is changed, so they concern their caller alone. */
  #answer(operation: Operation): { operation: Operation; error?: unknown; value?: unknown } {
    try {
      return { operation, value: this.#call(operation.work) }
    } catch (error) {
      if (isQError(error)) return { operation, error }
      throw error
    }
  }

  #failed(group: Operation[], error: unknown): void {
    if (isBusy(error)) return this.#comeAgain(group, error)
    if (group.length === 1 || isOutage(error) || isQError(error)) {
      for (const { reject } of group) reject(storageError(error, this.#path))
      return
    }
    // One of them is the trouble. Each gets a transaction of its own, so that the others do not suffer for it.
    for (const operation of group) this.#write([operation])
  }

  #comeAgain(group: Operation[], error: unknown): void {
    const now = clock.monotonic()
    this.#busySince ??= now
    const [patient, hopeless] = [[] as Operation[], [] as Operation[]]
    for (const operation of group) (now - operation.askedAt > patienceMs ? hopeless : patient).push(operation)
    for (const { reject } of hopeless) reject(storageError(error, this.#path))
    if (patient.length === 0) return
    this.#waiting.unshift(...patient)
    this.#scheduled = true
    const again = (): void => this.#flush()
    // At first as fast as the event loop turns, then a little apart, so that two of us do not run in step.
    if (now - this.#busySince < 2) setImmediate(again)
    else clock.timer(1 + 2 * clock.random(), again)
  }

  #call<T>(work: (store: Store) => T): T {
    beginCall(this.#store)
    return work(this.#store)
  }

  #transact<T>(work: () => T): T {
    if (this.#db.database.inTransaction) throw Object.assign(new Error('inside a transaction'), { code: 'SQLITE_BUSY' })
    this.#db.run(begin)
    let value: T
    try {
      beginStep(this.#store)
      value = work()
      endStep(this.#store)
    } catch (error) {
      this.#undo()
      throw error
    }
    try {
      this.#db.run(commit)
    } catch (error) {
      this.#undo()
      throw isBusy(error) ? error : commitError(error, this.#path)
    }
    this.#store.wakes.tell()
    return value
  }

  #undo(): void {
    if (this.#db.database.inTransaction) this.#db.run(rollback)
    forgetStep(this.#store)
  }
}

const doze = new Int32Array(new SharedArrayBuffer(4))

export function closedError(path: string): QError {
  return new QError(
    'Q_STORAGE_UNAVAILABLE',
    `The storage of "${path}" is closed, so nothing was changed. Open a new one.`,
  )
}
