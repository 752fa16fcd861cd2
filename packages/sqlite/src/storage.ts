import { resolve } from 'node:path'
import type { JobStorage } from '@q/core/storage'
import { QError } from '@q/core/storage'
import { capabilitiesOf } from './capabilities.ts'
import { type Database, isDatabase } from './connection.ts'
import { Engine, type EngineOptions } from './engine.ts'
import { type SqliteJobsRoom, createJobsRoom } from './jobs.ts'
import { createLocksRoom } from './locks.ts'
import { createMonitorRoom } from './monitor.ts'
import { createQueuesRoom } from './queues.ts'
import { createRecurringRoom } from './recurring.ts'
import { createUpkeepRoom } from './upkeep.ts'
import { parseUrl } from './url.ts'
import { createWakeupsRoom } from './wakeups.ts'
import { createWorkRoom } from './work.ts'

/** Jobs in a SQLite file. It can create jobs at once, and inside a better-sqlite3 transaction of yours. */
export interface SqliteStorage extends JobStorage {
  readonly jobs: SqliteJobsRoom
}

export interface SqliteOptions {
  /** The file, or ':memory:'. Made when it is not there; its folder has to be. */
  readonly path?: string | undefined
  /**
   * Your own better-sqlite3 database, instead of a path. It stays yours: it is used for `enqueueSync` inside its
   * transactions and never closed; workers get connections of their own to the same file.
   */
  readonly database?: Database | undefined
  /** Several storages in one file: small letters, digits and underscores. Default: none. */
  readonly namespace?: string | undefined
  /** Whether every commit waits for the disk, so that nothing acknowledged is lost when the power is. Default false: safe against a crash of the process. */
  readonly durable?: boolean | undefined
}

/**
 * Jobs in a SQLite file, or in memory. Nothing is opened before the first use. Several processes may share a file.
 *
 * @example
 * ```ts
 * const storage = sqliteStorage('app.db')
 * ```
 */
export function sqliteStorage(options: string | SqliteOptions): SqliteStorage {
  const engineOptions = readOptions(typeof options === 'string' ? { path: options } : options)
  const engine = new Engine(engineOptions)
  const { path, given, durable } = engineOptions
  const close = (): Promise<void> => engine.close()
  return {
    label: `sqlite ${path}`,
    capabilities: capabilitiesOf({ isMemory: path === ':memory:', isGiven: given !== undefined, durable }),
    jobs: createJobsRoom(engine),
    work: createWorkRoom(engine),
    upkeep: createUpkeepRoom(engine),
    recurring: createRecurringRoom(engine),
    locks: createLocksRoom(engine),
    queues: createQueuesRoom(engine),
    monitor: createMonitorRoom(engine),
    wakeups: createWakeupsRoom(engine),
    start: () => engine.start(),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** A storage by its URL: `sqlite:app.db`, `sqlite:///var/lib/app.db`, `sqlite::memory:`, with `?namespace=…&durable=true`. */
export function openUrl(url: string): SqliteStorage {
  return sqliteStorage(parseUrl(url))
}

function readOptions({ path, database, namespace, durable = false }: SqliteOptions): EngineOptions {
  if (database !== undefined) {
    if (path !== undefined) throw refuse('Give a path or a database, not both.')
    if (!isDatabase(database)) throw refuse('`database` is a Database of better-sqlite3.')
    const isMemory = database.memory || database.name === ''
    return { path: isMemory ? ':memory:' : resolve(database.name), given: database, namespace, durable }
  }
  if (typeof path !== 'string' || path.trim() === '') throw refuse("Name a file, or ':memory:'.")
  if (path.startsWith('sqlite:')) throw refuse('That is a URL: use openStorage(url), or name the file alone.')
  if (path.startsWith('file:')) throw refuse('File URLs are not read here: name the file alone.')
  // The folder the process stands in may change later; the file does not.
  return { path: path === ':memory:' ? path : resolve(path), namespace, durable }
}

function refuse(why: string): QError {
  return new QError('Q_OPTION_INVALID', `That is no SQLite storage. ${why}`)
}
