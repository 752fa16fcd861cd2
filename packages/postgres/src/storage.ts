import { createHash } from 'node:crypto'
import { QError, type TransactionalStorage } from '@q/core/storage'
import type { Pool } from 'pg'
import { capabilities } from './capabilities.ts'
import { Connections } from './connection.ts'
import { createJobsRoom } from './jobs.ts'
import { Listener } from './listener.ts'
import { createLocksRoom } from './locks.ts'
import { migrate } from './migrate.ts'
import { createMonitorRoom } from './monitor.ts'
import { Names } from './names.ts'
import { Pokes } from './pokes.ts'
import { isPooled } from './pooled.ts'
import { createQueuesRoom } from './queues.ts'
import { createRecurringRoom } from './recurring.ts'
import type { Room } from './room.ts'
import { createUpkeepRoom } from './upkeep.ts'
import { createWakeupsRoom, namesTopic } from './wakeups.ts'
import type { PostgresTransaction } from './within.ts'
import { createWorkRoom } from './work.ts'

export interface PostgresOptions {
  readonly connectionString?: string | undefined
  /** Your own pool: used as given, never closed by us. */
  readonly pool?: Pool | undefined
  /** Where the tables live. Default 'q'. Created when it is not there. */
  readonly schema?: string | undefined
  /** Connections for work in the pool we make. Default 6. */
  readonly connections?: number | undefined
  /**
   * How servers hear of new jobs at once. Default: a connection of its own that listens, if that works; `false`: polling
   * only; `connectionString`: another way to the server, past a pooler in transaction mode.
   */
  readonly listen?:
    | false
    | { readonly connectionString?: string | undefined; readonly canaryMs?: number | undefined }
    | undefined
}

export type PostgresStorage = TransactionalStorage<PostgresTransaction>

/**
 * Jobs in a PostgreSQL database (14 or later), in a schema of their own. Needs no superuser and no extension, and works
 * behind PgBouncer in transaction mode. Connects and migrates at first use.
 *
 * @example
 * ```ts
 * await using storage = postgresStorage('postgres://app@db/app')
 * ```
 */
export function postgresStorage(options: string | PostgresOptions): PostgresStorage {
  const { schema = 'q', listen, ...rest } = typeof options === 'string' ? { connectionString: options } : options
  if (rest.pool === undefined && rest.connectionString === undefined) {
    throw new QError('Q_OPTION_INVALID', 'postgresStorage() needs a connection string or a pool.')
  }
  const connections = new Connections(
    { ...rest, listenString: listen ? listen.connectionString : undefined },
    named(schema),
  )
  const names = new Names(connections, () => pokes.tell([namesTopic]))
  const pokes: Pokes = new Pokes(
    connections,
    names,
    `q_${createHash('sha256').update(schema).digest('hex').slice(0, 24)}`,
  )
  const listener = listen === false ? null : new Listener(connections, pokes, { canaryMs: listen?.canaryMs })
  let isHeard = listener !== null
  const inFlight = new Set<Promise<unknown>>()
  let started: Promise<void> | undefined
  let isStarted = false
  let closed: Promise<void> | undefined

  function start(): Promise<void> {
    if (closed !== undefined) return Promise.reject(closedError())
    started ??= begin().then(
      () => void (isStarted = true),
      (error: unknown) => {
        // What failed now may succeed the next time.
        started = undefined
        throw error
      },
    )
    return started
  }

  async function begin(): Promise<void> {
    await migrate(connections)
    if (listener === null) return
    // Straight to the server notifications arrive; by any other way that has to be seen.
    isHeard = (!(listen && listen.connectionString) && !(await isPooled(connections))) || (await listener.works())
  }

  function enter<T>(body: () => Promise<T>): Promise<T> {
    if (closed !== undefined) return Promise.reject(closedError())
    const call = isStarted ? body() : start().then(body)
    inFlight.add(call)
    const done = (): void => void inFlight.delete(call)
    call.then(done, done)
    return call
  }

  async function end(): Promise<void> {
    while (inFlight.size > 0) await Promise.allSettled(inFlight)
    if (started !== undefined) {
      await pokes.close()
      await listener?.close()
    }
    await connections.close()
  }

  const close = (): Promise<void> => (closed ??= end())
  const room: Room = { connections, names, pokes, enter }
  return {
    get label() {
      return `postgres ${connections.where} (schema ${schema})`
    },
    get capabilities() {
      return isHeard ? capabilities : { ...capabilities, push: false }
    },
    jobs: createJobsRoom(room),
    work: createWorkRoom(room),
    upkeep: createUpkeepRoom(room),
    recurring: createRecurringRoom(room),
    locks: createLocksRoom(room),
    queues: createQueuesRoom(room),
    monitor: createMonitorRoom(room),
    wakeups: createWakeupsRoom(room, listener),
    start,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** For `openStorage`: the URL as `pg` reads it; `?schema=` names the schema. */
export function openUrl(url: string): PostgresStorage {
  const parsed = new URL(url)
  const schema = parsed.searchParams.get('schema') ?? undefined
  parsed.searchParams.delete('schema')
  return postgresStorage({ connectionString: parsed.href, schema })
}

function named(schema: string): string {
  if (schema.length > 0 && Buffer.byteLength(schema) <= 63 && !schema.includes('\0') && schema.isWellFormed())
    return schema
  throw new QError(
    'Q_OPTION_INVALID',
    `"${schema}" cannot name a PostgreSQL schema: between 1 and 63 bytes, without NUL, can.`,
  )
}

function closedError(): QError {
  return new QError(
    'Q_STORAGE_UNAVAILABLE',
    'This PostgreSQL storage is closed, so nothing was changed. Open a new one with postgresStorage().',
  )
}
