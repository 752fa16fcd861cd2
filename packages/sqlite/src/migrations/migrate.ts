import { QError } from '@q/core/storage'
import type { Database } from '../connection.ts'
import type { Tables } from '../tables.ts'
import { createTables } from './0001-create-tables.ts'
import { spanReadyJobs } from './0002-span-ready-jobs.ts'

/** Append only: the number of a migration is its place in here. */
const migrations: readonly ((tables: Tables) => readonly string[])[] = [createTables, spanReadyJobs]

export const schemaVersion: number = migrations.length

/**
 * Brings our tables up to date, in one transaction that takes the write lock first: of many processes that start at
 * once, one does it and the others find it done. Throws "busy" as it comes; whoever calls comes again.
 */
export function migrate(database: Database, tables: Tables, path: string): void {
  if (versionOf(database, tables, path) === schemaVersion) return
  database.exec('begin immediate')
  try {
    migrateWithin(database, tables, path)
    database.exec('commit')
  } catch (error) {
    if (database.inTransaction) database.exec('rollback')
    throw error
  }
}

/** The same inside a transaction of the caller, which holds the write lock or is about to take it. */
export function migrateWithin(database: Database, tables: Tables, path: string): void {
  const version = versionOf(database, tables, path)
  if (version === schemaVersion) return
  if (version === 0) database.exec(`create table ${tables.meta} (key text primary key, value) without rowid`)
  for (const migration of migrations.slice(version)) for (const sql of migration(tables)) database.exec(sql)
  database.prepare(`insert or replace into ${tables.meta} values ('q.schema', ?)`).run(schemaVersion)
}

/** Which version of our tables is in there; 0 when there are none. Refuses what is not ours, and what is of a later version. */
export function versionOf(database: Database, tables: Tables, path: string): number {
  const wanted = new Set<string>(Object.values(tables))
  const names = database
    .prepare<[], { name: string }>("select name from sqlite_master where type in ('table', 'view')")
    .all()
  const found = names.map(({ name }) => name).filter((name) => wanted.has(name))
  if (found.length === 0) return 0
  const version = found.includes(tables.meta) ? readVersion(database, tables) : undefined
  if (version === undefined) {
    throw new QError(
      'Q_STORAGE_UNAVAILABLE',
      `"${path}" has a table "${found[0]}" that Q did not make. Nothing was changed. Choose another file, or a namespace: sqliteStorage({ path, namespace: 'jobs' }).`,
    )
  }
  if (version > schemaVersion) {
    throw new QError(
      'Q_STORAGE_UNAVAILABLE',
      `"${path}" was written by a later version of @q/sqlite (schema ${version}, this one knows ${schemaVersion}). Nothing was changed. Update @q/sqlite in this process.`,
    )
  }
  return version
}

function readVersion(database: Database, tables: Tables): number | undefined {
  const columns = database.prepare<[], { name: string }>(`select name from pragma_table_info('${tables.meta}')`).all()
  if (!columns.some(({ name }) => name === 'key') || !columns.some(({ name }) => name === 'value')) return undefined
  const row = database.prepare<[], { value: unknown }>(`select value from ${tables.meta} where key = 'q.schema'`).get()
  return typeof row?.value === 'number' ? row.value : undefined
}
