import type Sqlite from 'better-sqlite3'
import { createRequire } from 'node:module'
import { QError } from '@q/core/storage'
import { storageError } from './errors.ts'
import type { Bound, RowsStatement, Statement } from './statement.ts'
import type { Tables } from './tables.ts'

export type Database = Sqlite.Database

/** One open database and our statements on it, each prepared when first used. */
export class Connection {
  readonly database: Database
  readonly tables: Tables
  readonly #prepared = new Map<object, Prepared>()
  #dataVersion: Sqlite.Statement<[], number> | undefined
  #changes = 0

  constructor(database: Database, tables: Tables) {
    this.database = database
    this.tables = tables
  }

  /** Grows with all that is changed through here, but for what is changed quietly. */
  get changes(): number {
    return this.#changes
  }

  /** Another number when another connection has written. */
  dataVersion(): number {
    this.#dataVersion ??= this.database.prepare<[], number>('pragma data_version').pluck()
    return this.#dataVersion.get()!
  }

  /** Answers how many rows it changed. */
  run<P extends readonly Bound[]>(statement: Statement<P>, ...parameters: P): number {
    const { changes } = this.#prepare(statement).statement.run(...parameters)
    this.#changes += changes
    return changes
  }

  /** For a change that no answer to anybody depends on. */
  runQuietly<P extends readonly Bound[]>(statement: Statement<P>, ...parameters: P): number {
    return this.#prepare(statement).statement.run(...parameters).changes
  }

  get<P extends readonly Bound[], R>(statement: Statement<P, R>, ...parameters: P): R | undefined {
    const prepared = this.#prepare(statement)
    if (prepared.writes) this.#changes++
    return prepared.statement.get(...parameters) as R | undefined
  }

  all<P extends readonly Bound[], R>(statement: Statement<P, R>, ...parameters: P): R[] {
    const prepared = this.#prepare(statement)
    if (prepared.writes) this.#changes++
    return prepared.statement.all(...parameters) as R[]
  }

  /** Inserts many rows at once: what is their own in one list, what they share by its names. Answers how many there were. */
  runRows<Shared extends object>(statement: RowsStatement<Shared>, rows: readonly Bound[], shared: Shared): number {
    const { changes } = (this.#prepare(statement).statement as Sqlite.Statement<unknown[]>).run(rows, shared)
    this.#changes += changes
    return changes
  }

  /** For statements that are built for one read: lists with their filters. */
  query<R>(sql: string, parameters: readonly unknown[]): R[] {
    return this.database.prepare<unknown[], R>(sql).all(...parameters)
  }

  #prepare(statement: { readonly sql: (tables: Tables) => string }): Prepared {
    let prepared = this.#prepared.get(statement)
    if (prepared === undefined) {
      const made = this.database.prepare<Bound[], unknown>(veiled(statement.sql(this.tables)))
      prepared = { statement: made, writes: !made.readonly }
      this.#prepared.set(statement, prepared)
    }
    return prepared
  }
}

interface Prepared {
  readonly statement: Sqlite.Statement<Bound[], unknown>
  /** Also one that answers rows may. */
  readonly writes: boolean
}

/**
 * SQLite peeks at the values it plans with, and plans anew at every run because they may have changed: for most of our
 * statements that takes far longer than running them. Behind a select of its own a value is not peeked at. Rows that
 * are only inserted, and single ones found by their key, need no plan.
 */
function veiled(sql: string): string {
  const isPlanned = !/\bvalues\b/.test(sql) && !/ where (id|n) = \?$/.test(sql)
  return isPlanned ? sql.replaceAll('?', '(select ?)') : sql
}

/** Opens a file, or the memory; nothing of ours is looked at or changed yet. */
export function openDatabase(path: string, options: { readonly readonly?: boolean } = {}): Database {
  const Database = loadDriver()
  try {
    // Waiting inside SQLite would stop the event loop: whoever finds the file busy comes again by itself.
    return new Database(path, { timeout: 0, readonly: options.readonly ?? false })
  } catch (error) {
    throw storageError(error, path)
  }
}

/** True for what this storage may work on: a database of the same driver, whichever copy of the package opened it. */
export function isDatabase(value: unknown): value is Database {
  return (
    typeof value === 'object' &&
    value !== null &&
    'prepare' in value &&
    typeof value.prepare === 'function' &&
    'inTransaction' in value &&
    typeof value.inTransaction === 'boolean' &&
    'pragma' in value
  )
}

let driver: typeof Sqlite | undefined

/** Loaded when first needed, and not before this Node is known to carry it: on an older one the addon ends the whole process. */
function loadDriver(): typeof Sqlite {
  if (driver !== undefined) return driver
  const { napi, node } = process.versions
  if (whyTooOld(napi) !== null)
    throw new QError('Q_STORAGE_UNSUPPORTED', `Node ${node} cannot run SQLite: ${whyTooOld(napi)}`)
  driver = createRequire(import.meta.url)('better-sqlite3') as typeof Sqlite
  return driver
}

const neededNapi = 10

/** Why a Node with this version of Node-API cannot load the driver, or null. */
export function whyTooOld(napi: string | undefined): string | null {
  return Number(napi ?? 0) >= neededNapi
    ? null
    : `better-sqlite3 needs Node-API ${neededNapi}, this one has ${napi ?? 'none'}. Use Node 22.14 or later.`
}
