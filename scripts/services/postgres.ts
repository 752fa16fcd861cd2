import { execFile } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { findPrograms, postgresServer } from './find-programs.ts'
import { hereAndNow } from './here-and-now.ts'
import { startServer } from './server.ts'
import type { Server } from './server.ts'

export interface PostgresOptions {
  /** True: a commit that was confirmed survives a crash. Default false, for tests that crash nothing. */
  readonly fsync?: boolean | undefined
  /** More settings by their name in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

const run = promisify(execFile)

export async function startPostgres(options: PostgresOptions = {}): Promise<Server> {
  const { fsync = false, settings = {} } = options
  const found = await findPrograms([postgresServer], hereAndNow)
  const postgres = found.get(postgresServer) ?? ''
  const initdb = join(dirname(realpathSync(postgres)), 'initdb')
  const durable = fsync ? 'on' : 'off'
  const all = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '300',
    fsync: durable,
    synchronous_commit: durable,
    full_page_writes: durable,
    ...settings,
  }
  return startServer({
    name: 'postgres',
    command: postgres,
    refusesRoot: true,
    async prepare({ folder, as }) {
      const how = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync', '--no-instructions']
      await run(initdb, ['-D', join(folder, 'data'), ...how], { ...as, cwd: folder })
    },
    args: ({ folder, port }) => [
      '-D',
      join(folder, 'data'),
      '-p',
      String(port),
      ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
    probe: probePostgres,
    closeSignal: 'SIGINT',
    dropSignal: 'SIGQUIT',
  })
}

/** Resolves when a PostgreSQL, or a PgBouncer with one behind it, answers at this address. */
export async function probePostgres(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  // A server that goes away between answer and goodbye is no news to a probe.
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('select 1')
  } finally {
    await client.end().catch(() => undefined)
  }
}
