import { postgresStorage } from '@q/postgres'
import type { ScratchOptions, ScratchStorage } from '@q/testkit'
import pg from 'pg'
import { startPostgres } from '../../../scripts/services/index.ts'
import { databaseUrl } from './on-server.ts'
import { newSchema, returnSchema, takeSchema } from './schemas.ts'

/** A schema of its own. `url`: how the storages of the case reach the server. */
export function openScratch(url: string = databaseUrl, { cold = false }: ScratchOptions = {}): ScratchStorage {
  const schema = cold ? newSchema() : takeSchema()
  let otherSchema: string | undefined
  const open = (connectionString: string, name: string) =>
    postgresStorage({ connectionString, schema: name, connections: 3 })
  const { hostname, port } = new URL(url)
  return {
    storage: open(url, schema),
    another: () => open(url, schema),
    elsewhere: () => open(url, (otherSchema ??= takeSchema())),
    network: {
      host: hostname,
      port: Number(port || 5432),
      via({ host, port: proxied }) {
        const through = new URL(url)
        through.hostname = host
        through.port = String(proxied)
        return open(through.href, schema)
      },
    },
    child: {
      module: new URL('./open-in-child.ts', import.meta.url),
      argument: JSON.stringify({ connectionString: url, schema }),
    },
    async restartable() {
      const server = await startPostgres({ fsync: true })
      return {
        open: () => open(server.url, schema),
        kill: () => server.kill(),
        restart: () => server.restart(),
        stop: () => server.stop(),
      }
    },
    async transaction() {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      await client.query('begin')
      const end = async (how: 'commit' | 'rollback'): Promise<void> => {
        await client.query(how)
        await client.end()
      }
      return { tx: client, commit: () => end('commit'), rollback: () => end('rollback') }
    },
    async dispose() {
      await returnSchema(schema)
      if (otherSchema !== undefined) await returnSchema(otherSchema)
    },
  }
}
