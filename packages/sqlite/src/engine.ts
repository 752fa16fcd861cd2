import { QError, type Read } from '@q/core/storage'
import { Connection, type Database, isDatabase, openDatabase } from './connection.ts'
import { isBusy, storageError } from './errors.ts'
import { clock } from './clock.ts'
import { migrate, migrateWithin, schemaVersion, versionOf } from './migrations/migrate.ts'
import { type Store, beginCall, beginStep, endStep, forgetStep, newStore } from './store.ts'
import type { Recalled } from './lull.ts'
import { type Tables, tablesOf } from './tables.ts'
import { Wakes } from './wakes.ts'
import { Writer, closedError } from './writer.ts'

export interface EngineOptions {
  readonly path: string
  /** The caller's own connection. */
  readonly given?: Database | undefined
  readonly namespace?: string | undefined
  readonly durable: boolean
}

interface Opened {
  readonly database: Database
  readonly store: Store
  readonly writer: Writer
  /** For monitoring: a connection that can only read, so that no read waits for a write. */
  readonly reader: Connection
}

/** When to look that no later version has changed our tables. */
const versionCheckMs = 60_000
const patienceMs = 10_000
const checkpointPages = 4000
const walLimitBytes = 64 * 1024 * 1024
const idleMs = 250

/** The connections of one storage: opened when first needed, closed once. */
export class Engine {
  readonly path: string
  readonly tables: Tables
  readonly wakes: Wakes = new Wakes()
  readonly #options: EngineOptions
  readonly #within = new WeakMap<Database, Store>()
  #opened: Opened | null = null
  #starting: Promise<Opened> | null = null
  #closing: Promise<void> | null = null
  #checkedAt = 0
  #writes = 0
  #checkpoint: { cancel(): void } | null = null
  /** What had been changed when the log was last written back. */
  #writtenBack = 0
  readonly #closers: (() => void)[] = []

  constructor(options: EngineOptions) {
    this.path = options.path
    this.tables = tablesOf(options.namespace)
    this.#options = options
  }

  /** Whether anybody but us can have a transaction on this database. */
  get sharesDatabase(): boolean {
    return this.path !== ':memory:' || this.#options.given !== undefined
  }

  /** Opens the file and brings our tables up to date. Others may do the same at this moment: whoever comes late waits. */
  async start(): Promise<void> {
    if (this.#closing !== null) throw closedError(this.path)
    if (this.#opened !== null) return this.#checkVersion(this.#opened)
    this.#starting ??= this.#open().finally(() => (this.#starting = null))
    await this.#starting
  }

  /** One call in a write transaction that it may share with others. */
  write<T>(work: (store: Store) => T): Promise<T> {
    if (this.#opened === null || this.#closing !== null || this.#isUnchecked()) return this.#writeLater(work)
    this.#noteWrite()
    return this.#opened.writer.run(work)
  }

  /** What a call found before, when it would find the same now and nothing waits to be written; see `Lull`. */
  recall<T>(key: string): (Recalled<T> & { readonly store: Store }) | undefined {
    const opened = this.#closing === null ? this.#opened : null
    if (opened === null || this.path === ':memory:' || !opened.writer.isIdle) return undefined
    try {
      const recalled = opened.store.lull.recall<T>(key)
      return recalled && { ...recalled, store: opened.store }
    } catch (error) {
      // The call itself says what is wrong, or waits until it is over.
      if (error instanceof Error) return undefined
      throw error
    }
  }

  /** One call at once. In a transaction of the caller on the connection we were given, it becomes part of that. */
  writeSync<T>(work: (store: Store) => T): T {
    if (this.#closing !== null) throw closedError(this.path)
    const { given } = this.#options
    if (given?.inTransaction) return this.writeWithin(given, work)
    this.#opened ??= this.#openSync()
    this.#noteWrite()
    return this.#opened.writer.runSync(work)
  }

  /** One call inside the caller's transaction: it is there when that is committed, and was never there when not. */
  writeWithin<T>(tx: Database, work: (store: Store) => T): T {
    if (this.#closing !== null) throw closedError(this.path)
    this.#checkTransaction(tx)
    const store = this.#storeWithin(tx)
    // Whatever was known may have been rolled back by the caller.
    forgetStep(store)
    tx.exec('savepoint q_within')
    try {
      // Before the first start there may be no tables yet; made here, they share the fate of the caller's transaction.
      if (this.#opened === null) migrateWithin(tx, this.tables, this.path)
      beginStep(store)
      beginCall(store)
      const value = work(store)
      endStep(store)
      tx.exec('release q_within')
      return value
    } catch (error) {
      if (tx.inTransaction) tx.exec('rollback to q_within; release q_within')
      throw storageError(error, this.path)
    } finally {
      store.dataVersion = -1
    }
  }

  /** One read on a connection of its own, that sees what is committed. */
  async read<T>(read: Read | undefined, look: (db: Connection) => T): Promise<T> {
    read?.signal?.throwIfAborted()
    await this.start()
    // Answers that come without the event loop turning would starve whoever waits for it: timers, sockets, our own writes.
    await new Promise<void>((resolve) => clock.soon(resolve))
    if (this.#closing !== null) throw closedError(this.path)
    const { reader, database } = this.#opened!
    try {
      // With one connection only, nothing but finished steps is there to be seen.
      if (reader.database === database) return look(reader)
      return this.#snapshot(reader, look)
    } catch (error) {
      throw storageError(error, this.path)
    }
  }

  /** Sees one moment, however many statements it takes; ends at once, since a long reader keeps the log from shrinking. */
  #snapshot<T>(reader: Connection, look: (db: Connection) => T): T {
    reader.database.exec('begin')
    try {
      return look(reader)
    } finally {
      reader.database.exec('commit')
    }
  }

  /** The connection that writes, for looking at what others have done; null before the start and after the end. */
  get reader(): Connection | null {
    return this.#closing === null ? (this.#opened?.reader ?? null) : null
  }

  get store(): Store | null {
    return this.#closing === null ? (this.#opened?.store ?? null) : null
  }

  /** Grows with every write through here. */
  get writes(): number {
    return this.#writes
  }

  onClose(closer: () => void): void {
    this.#closers.push(closer)
  }

  /** Pages that nothing is on any more go back to the file system, some at a time. False when there are more of them. */
  giveBackSpace(): boolean {
    const database = this.#opened?.database
    const freePages = (): unknown => database?.pragma('freelist_count', { simple: true })
    try {
      const before = freePages()
      if (before === 0) return true
      database?.pragma('incremental_vacuum(500)')
      const after = freePages()
      // A file that somebody else made may not be able to give anything back.
      return after === 0 || after === before
    } catch (error) {
      // Somebody is writing: the next sweep comes soon.
      if (!isBusy(error)) throw storageError(error, this.path)
      return false
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #writeLater<T>(work: (store: Store) => T): Promise<T> {
    await this.start()
    return this.write(work)
  }

  async #open(): Promise<Opened> {
    const startedAt = clock.monotonic()
    for (;;) {
      try {
        return (this.#opened ??= this.#connect())
      } catch (error) {
        if (!isBusyStart(error) || clock.monotonic() - startedAt > patienceMs)
          throw storageError(causeOf(error), this.path)
        await new Promise<void>((resolve) => clock.timer(1 + 10 * clock.random(), resolve))
        if (this.#closing !== null) throw closedError(this.path)
      }
    }
  }

  #openSync(): Opened {
    const startedAt = clock.monotonic()
    for (;;) {
      try {
        return this.#connect()
      } catch (error) {
        if (!isBusyStart(error) || clock.monotonic() - startedAt > patienceMs / 2)
          throw storageError(causeOf(error), this.path)
        Atomics.wait(doze, 0, 0, 1 + 5 * clock.random())
      }
    }
  }

  #connect(): Opened {
    const isMemory = this.path === ':memory:'
    const { given, durable } = this.#options
    // Whoever gives us a database in memory gives us all of it; of a file we open our own connections.
    const database = isMemory && given !== undefined ? given : openDatabase(this.path)
    const isOurs = database !== given
    try {
      if (isOurs) prepare(database, isMemory, durable)
      migrate(database, this.tables, this.path)
      const reader = isMemory ? database : openDatabase(this.path, { readonly: true })
      const store = newStore(new Connection(database, this.tables), this.wakes)
      this.#checkedAt = clock.monotonic()
      return { database, store, writer: new Writer(store, this.path), reader: new Connection(reader, this.tables) }
    } catch (error) {
      if (isOurs) database.close()
      throw error
    }
  }

  /** An older process goes on when a later one has only added to our tables, and stops when it does not know them any more. */
  #checkVersion({ database }: Opened): void {
    if (!this.#isUnchecked()) return
    this.#checkedAt = clock.monotonic()
    if (versionOf(database, this.tables, this.path) === schemaVersion) return
    throw new QError(
      'Q_STORAGE_UNAVAILABLE',
      `The tables in "${this.path}" have been removed while this storage was open. Close it and open a new one.`,
    )
  }

  #isUnchecked(): boolean {
    return clock.monotonic() - this.#checkedAt > versionCheckMs
  }

  #checkTransaction(tx: Database): void {
    if (!isDatabase(tx)) {
      throw new QError(
        'Q_OPTION_INVALID',
        'Nothing was stored: `with` wants the better-sqlite3 Database whose transaction it is to join.',
      )
    }
    if (!tx.inTransaction) {
      throw new QError(
        'Q_OPTION_INVALID',
        'Nothing was stored: that database is in no transaction. Call this inside db.transaction(() => …), or enqueue without it.',
      )
    }
  }

  #storeWithin(tx: Database): Store {
    if (tx === this.#opened?.database) return this.#opened.store
    let store = this.#within.get(tx)
    if (store === undefined) {
      store = newStore(new Connection(tx, this.tables), new Wakes())
      this.#within.set(tx, store)
    }
    return store
  }

  /** After some quiet the log is written back into the file, as far as readers allow; nobody is made to wait for it. */
  #noteWrite(): void {
    this.#writes++
    if (this.#checkpoint !== null || this.path === ':memory:') return
    const seen = this.#writes
    this.#checkpoint = clock.timer(
      idleMs,
      () => {
        this.#checkpoint = null
        if (this.#closing !== null) return
        if (this.#writes !== seen) return this.#noteWrite()
        const { changes } = this.#opened!.store.db
        if (changes !== this.#writtenBack) this.#writeBack()
        this.#writtenBack = changes
      },
      { unref: true },
    )
  }

  #writeBack(): void {
    try {
      this.#opened?.database.pragma('wal_checkpoint(passive)')
    } catch (error) {
      // Nothing depends on it: who writes next comes to the same trouble and says so.
      if (!(error instanceof Error)) throw error
    }
  }

  async #close(): Promise<void> {
    await this.#starting?.catch(() => undefined)
    for (const closer of this.#closers.splice(0)) closer()
    this.#checkpoint?.cancel()
    const opened = this.#opened
    if (opened === null) return
    await opened.writer.drained()
    if (opened.reader.database !== opened.database) opened.reader.database.close()
    if (opened.database !== this.#options.given) opened.database.close()
  }
}

function prepare(database: Database, isMemory: boolean, durable: boolean): void {
  // Only a file with nothing in it can be told to give space back; others reuse it.
  database.pragma('auto_vacuum = incremental')
  if (isMemory) return
  const mode = database.pragma('journal_mode = wal', { simple: true })
  if (mode !== 'wal') throw Object.assign(new Error(`journal mode ${String(mode)}`), { code: 'SQLITE_READONLY' })
  database.pragma(`synchronous = ${durable ? 'full' : 'normal'}`)
  database.pragma(`wal_autocheckpoint = ${checkpointPages}`)
  database.pragma(`journal_size_limit = ${walLimitBytes}`)
}

function isBusyStart(error: unknown): boolean {
  return isBusy(causeOf(error))
}

function causeOf(error: unknown): unknown {
  return error instanceof QError && isBusy(error.cause) ? error.cause : error
}

const doze = new Int32Array(new SharedArrayBuffer(4))
