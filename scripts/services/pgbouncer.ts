import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findPrograms, pgBouncer } from './find-programs.ts'
import { hereAndNow } from './here-and-now.ts'
import { probePostgres } from './postgres.ts'
import { startServer } from './server.ts'
import type { Server } from './server.ts'

/** PgBouncer in transaction mode in front of the database at `databaseUrl`: sessions are not kept between transactions. */
export async function startPgBouncer(databaseUrl: string): Promise<Server> {
  const behind = new URL(databaseUrl)
  const database = decodeURIComponent(behind.pathname.slice(1)) || 'postgres'
  const user = decodeURIComponent(behind.username) || 'postgres'
  const password = decodeURIComponent(behind.password)
  const found = await findPrograms([pgBouncer], hereAndNow)
  return startServer({
    name: 'pgbouncer',
    command: found.get(pgBouncer) ?? '',
    refusesRoot: true,
    // PgBouncer reads its port from the file only.
    async prepare({ folder, port }) {
      const target = {
        host: behind.hostname,
        port: behind.port || '5432',
        dbname: database,
        user,
        ...(password === '' ? {} : { password }),
      }
      const lines = [
        '[databases]',
        `* = ${Object.entries(target)
          .map(([name, value]) => `${name}='${value.replaceAll("'", "''")}'`)
          .join(' ')}`,
        '[pgbouncer]',
        'listen_addr = 127.0.0.1',
        `listen_port = ${port}`,
        'unix_socket_dir =',
        'auth_type = any',
        'pool_mode = transaction',
        'max_client_conn = 1000',
        'default_pool_size = 20',
        'ignore_startup_parameters = extra_float_digits',
      ]
      writeFileSync(join(folder, 'pgbouncer.ini'), `${lines.join('\n')}\n`)
    },
    args: ({ folder }) => [join(folder, 'pgbouncer.ini')],
    url: (port) => `postgres://${encodeURIComponent(user)}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    probe: probePostgres,
    closeSignal: 'SIGINT',
    dropSignal: 'SIGTERM',
  })
}
