import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { QError } from '@q/core/storage'
import { isPassing, storageError } from './errors.ts'
import { ident } from './ident.ts'
import type { Statement } from './statement.ts'

/** What a connection to PostgreSQL of the user's own looks like: a `pg` client, or anything else that runs a query. */
export interface Queryable {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

export interface ConnectionOptions {
  readonly connectionString?: string | undefined
  /** Used as given and never closed by us. */
  readonly pool?: pg.Pool | undefined
  /** Connections for work. Reading, heartbeats and listening have few of their own. */
  readonly connections?: number | undefined
  /** Where to listen, when that is another address. */
  readonly listenString?: string | undefined
}

/** What a connection is for. */
type Kind = 'work' | 'pulse' | 'reading'

/** Longer than any call should take, shorter than the two minutes for which a repeat is recognised. */
const deadlineMs = 30_000
const connectMs = 10_000
const retries = 4

/**
 * Everything this storage sends. Statements run one at a time, each a transaction by itself, without any state left on
 * the connection: so they pass through a pooler in transaction mode.
 */
export class Connections {
  readonly #options: ConnectionOptions
  readonly schemaName: string
  /** The schema's name as SQL may hold it. */
  readonly schema: string
  readonly #pools = new Map<Kind, pg.Pool>()
  readonly #kept = new Map<Kind, { take(): pg.PoolClient }>()
  readonly #texts = new Map<Statement<readonly unknown[], unknown>, string>()

  constructor(options: ConnectionOptions, schemaName: string) {
    this.#options = options
    this.schemaName = schemaName
    this.schema = ident(schemaName)
  }

  /** Where the server is, without secrets. */
  get where(): string {
    const { host, port, database } = this.#clientConfig(true)
    return `${host ?? 'localhost'}:${port ?? 5432}/${database ?? ''}`
  }

  /** A change. What certainly did not happen is tried again; what broke on its way is ambiguous. */
  write<Values extends readonly unknown[], Row>(
    statement: Statement<Values, Row>,
    values: Values,
    pool: 'work' | 'pulse' = 'work',
  ): Promise<Row[]> {
    return this.#attempt(pool, statement, values, true)
  }

  /** Nothing changes, so nothing can be ambiguous. */
  read<Values extends readonly unknown[], Row>(
    statement: Statement<Values, Row>,
    values: Values,
    pool: 'work' | 'reading' = 'work',
  ): Promise<Row[]> {
    return this.#attempt(pool, statement, values, false)
  }

  /** Several statements on one connection. `body` opens and ends its own transaction. */
  session<T>(
    pool: 'work' | 'reading',
    body: (client: pg.PoolClient) => Promise<T>,
    timeoutMs: number = deadlineMs,
  ): Promise<T> {
    return this.#onClient(pool, body, false, timeoutMs)
  }

  /** A connection outside every pool, for LISTEN. */
  async dedicated(): Promise<pg.Client> {
    const client = new pg.Client({ ...this.#listenConfig(), keepAlive: true, connectionTimeoutMillis: connectMs })
    // A connection that breaks tells it here and to whoever waits for an answer; only this event would end the process.
    client.on('error', () => undefined)
    await client.connect()
    return client
  }

  /** For a connection in another thread; a function among the options (a password that changes) cannot travel there. */
  threadConfig(): Record<string, unknown> {
    return JSON.parse(JSON.stringify(this.#clientConfig())) as Record<string, unknown>
  }

  /** Ends what we opened. A pool that was given is left open. */
  async close(): Promise<void> {
    const own = [...this.#pools.values()].filter((pool) => pool !== this.#options.pool)
    this.#options.pool?.off('error', ignore)
    this.#pools.clear()
    await Promise.all(own.map((pool) => pool.end()))
  }

  async #attempt<Values extends readonly unknown[], Row>(
    pool: Kind,
    statement: Statement<Values, Row>,
    values: Values,
    changes: boolean,
  ): Promise<Row[]> {
    const text = this.#textOf(statement)
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#onClient(
          pool,
          async (client) =>
            (await client.query<Row & pg.QueryResultRow>({ text, values: values as unknown as unknown[] })).rows,
          changes,
          deadlineMs,
        )
      } catch (error) {
        const cause = error instanceof QError ? error.cause : error
        if (attempt > retries || !isPassing(cause)) throw error
        await pause(10 * 4 ** (attempt - 1) * (0.5 + Math.random()))
      }
    }
  }

  async #onClient<T>(
    kind: Kind,
    body: (client: pg.PoolClient) => Promise<T>,
    changes: boolean,
    timeoutMs: number,
  ): Promise<T> {
    let client = this.#takeKept(kind)
    if (client === undefined) {
      try {
        client = await checkOut(this.#pool(kind))
      } catch (error) {
        throw storageError(error, false)
      }
    }
    const used = client
    let broken = false
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    })
    try {
      return await Promise.race([body(used), deadline])
    } catch (error) {
      broken = !hasAnswered(error)
      throw storageError(error, changes)
    } finally {
      clearTimeout(timer)
      // A connection that did not answer is in an unknown state: the pool replaces it.
      if (broken || this.#kept.has(kind) || this.#pool(kind).waitingCount > 0) giveBack(used, broken)
      else this.#keep(kind, used)
    }
  }

  /**
   * Until the end of this turn of the event loop: whoever has just had an answer often has the next call at hand, and
   * the pool would hand a connection over only after everything else the answer has set in motion.
   */
  #keep(kind: Kind, client: pg.PoolClient): void {
    const end = (broken: boolean): void => {
      clearImmediate(turn)
      client.off('error', drop)
      this.#kept.delete(kind)
      if (broken) giveBack(client, true)
    }
    const drop = (): void => end(true)
    const turn = setImmediate(() => {
      end(false)
      giveBack(client, false)
    })
    client.on('error', drop)
    this.#kept.set(kind, {
      take() {
        end(false)
        return client
      },
    })
  }

  #takeKept(kind: Kind): pg.PoolClient | undefined {
    return this.#kept.get(kind)?.take()
  }

  #pool(kind: Kind): pg.Pool {
    let pool = this.#pools.get(kind)
    if (pool !== undefined) return pool
    if (kind === 'work' && this.#options.pool !== undefined) {
      pool = this.#options.pool
    } else {
      const max = { work: this.#options.connections ?? 6, pulse: 1, reading: 2 }[kind]
      pool = new pg.Pool({
        ...this.#clientConfig(),
        max,
        keepAlive: true,
        connectionTimeoutMillis: connectMs,
        idleTimeoutMillis: 30_000,
        allowExitOnIdle: true,
      })
    }
    // A connection that breaks while nobody uses it is no news: the pool has dropped it already.
    pool.on('error', ignore)
    this.#pools.set(kind, pool)
    return pool
  }

  #listenConfig(): pg.ClientConfig {
    const { listenString } = this.#options
    return listenString === undefined ? this.#clientConfig() : { connectionString: listenString }
  }

  #clientConfig(parsed = false): pg.ClientConfig {
    const { pool, connectionString } = this.#options
    if (pool !== undefined) {
      const {
        max: _max,
        min: _min,
        idleTimeoutMillis: _idle,
        Promise: _promise,
        Client: _client,
        ...config
      } = pool.options as pg.PoolConfig & {
        Client?: unknown
      }
      if (!parsed || config.connectionString === undefined) return config
      return partsOf(config.connectionString)
    }
    return parsed ? partsOf(connectionString!) : { connectionString }
  }

  #textOf(statement: Statement<readonly unknown[], unknown>): string {
    let text = this.#texts.get(statement)
    if (text === undefined) this.#texts.set(statement, (text = statement.text(this.schema)))
    return text
  }
}

/**
 * A connection is handed over without any listener, and what comes in the same breath as its welcome is told before a
 * promise could go on: so it is listened to in the callback.
 */
function checkOut(pool: pg.Pool): Promise<pg.PoolClient> {
  return new Promise((resolve, reject) => {
    pool.connect((error, client) => {
      if (client === undefined) return reject(error as Error)
      client.on('error', ignore)
      resolve(client)
    })
  })
}

function giveBack(client: pg.PoolClient, broken: boolean): void {
  client.off('error', ignore)
  client.release(broken)
}

function ignore(): void {
  // Listened to only because an 'error' event without a listener ends the process.
}

/** Whether the server said this: then the connection is as good as before. */
function hasAnswered(error: unknown): boolean {
  const severity: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'severity') : undefined
  return severity === 'ERROR'
}

function partsOf(connectionString: string): { host?: string; port?: number; database?: string } {
  const client = new pg.Client({ connectionString })
  const parts: { host?: string; port?: number; database?: string } = { host: client.host, port: client.port }
  if (client.database !== undefined) parts.database = client.database
  return parts
}
