import { QError } from '@q/core/storage'
import type { Connections } from './connection.ts'
import { migrations } from './migrations/index.ts'

/**
 * Brings the schema up to date. Many processes may start at once: one of them migrates, in one transaction, under a lock
 * that ends with it; the others wait and find it done. Steps only add, so servers of an older release go on meanwhile.
 */
export async function migrate(connections: Connections): Promise<void> {
  const { schema } = connections
  await connections.session(
    'work',
    async (client) => {
      const { rows: settings } = await client.query<{ isolation: string; version: string }>(
        "select current_setting('transaction_isolation') as isolation, current_setting('server_version_num') as version",
      )
      const { isolation, version } = settings[0]!
      if (Number(version) < 140_000) {
        throw new QError('Q_STORAGE_UNSUPPORTED', `PostgreSQL ${version} is too old: version 14 or later is needed.`)
      }
      if (isolation !== 'read committed') {
        throw new QError(
          'Q_STORAGE_UNSUPPORTED',
          `These connections run in "${isolation}" by default, and jobs need "read committed". Set default_transaction_isolation for this role or pool.`,
        )
      }
      if ((await missing(client, schema)).length === 0) return
      await client.query('begin')
      try {
        await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`${schema} migrations`])
        const { rows } = await client.query('select 1 from pg_namespace where nspname = $1', [connections.schemaName])
        if (rows.length === 0) await client.query(`create schema ${schema}`)
        await client.query(
          `create table if not exists ${schema}.migration (id text primary key, applied_at timestamptz not null default now())`,
        )
        for (const { id, sql } of await missing(client, schema)) {
          await client.query(sql(schema))
          await client.query(`insert into ${schema}.migration (id) values ($1)`, [id])
        }
        await client.query('commit')
      } catch (error) {
        await client.query('rollback').catch(() => undefined)
        throw error
      }
    },
    120_000,
  )
}

interface Client {
  query(text: string, values?: unknown[]): Promise<{ rows: { id?: string; there?: boolean }[] }>
}

async function missing(client: Client, schema: string): Promise<typeof migrations> {
  const { rows } = await client.query('select to_regclass($1) is not null as there', [`${schema}.migration`])
  if (rows[0]?.there !== true) return migrations
  const { rows: applied } = await client.query(`select id from ${schema}.migration`)
  const done = new Set(applied.map(({ id }) => id))
  return migrations.filter(({ id }) => !done.has(id))
}
