import type { JobQuery } from '@q/core/storage'
import {
  DummyDriver,
  Kysely,
  type RawBuilder,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'
import type { Connection } from './connection.ts'
import type { EntrySource, ViewRow } from './statements/views.ts'
import type { Tables } from './tables.ts'

export interface EntryKey {
  readonly at: number
  readonly id: string
}

/** Only writes SQL: statements are run on the connection for reading. */
const writer = new Kysely<Record<never, never>>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
})

/** What SQLite itself can say about a job that is not meant: the rest is asked of the few that are left. */
export function narrowing(query: JobQuery, tables: Tables, source: EntrySource): readonly RawBuilder<unknown>[] {
  const { queue, name, state, tag, recurring, createdAfter, createdBefore } = query
  const conditions: RawBuilder<unknown>[] = []
  if (queue !== undefined) conditions.push(sql`q.name in (${sql.join(queue)})`)
  if (name !== undefined) conditions.push(sql`n.text in (${sql.join(name)})`)
  if (state !== undefined) conditions.push(sql`${sql.raw(source.state)} in (${sql.join(state)})`)
  if (tag !== undefined) {
    conditions.push(
      sql`exists (select 1 from ${sql.table(tables.tag)} x where x.id = j.id and x.tag in (${sql.join(tag)}))`,
    )
  }
  if (recurring !== undefined) conditions.push(sql`json_extract(j.cold, '$.recurring.id') = ${recurring}`)
  if (createdAfter !== undefined) conditions.push(sql`j.created >= ${createdAfter}`)
  if (createdBefore !== undefined) conditions.push(sql`j.created < ${createdBefore}`)
  return conditions
}

/** The entry with which a walk of so many steps along an index ends; undefined when the index ends before. */
export function endOfWalk(db: Connection, source: EntrySource, from: EntryKey, steps: number): EntryKey | undefined {
  const { id, where, onwards, order } = source
  const query = sql<EntryKey>`select r.at, ${sql.raw(id)} as id from ${sql.raw(source.from)} where ${sql.raw(where)}
    and (r.at, ${sql.raw(id)}) ${sql.raw(onwards)} (${from.at}, ${from.id}) order by ${sql.raw(order)} limit 1 offset ${steps - 1}`
  return run<EntryKey>(db, query)[0]
}

/** What is left of the jobs between two entries. */
export function narrowed(
  db: Connection,
  source: EntrySource,
  from: EntryKey,
  to: EntryKey | undefined,
  conditions: readonly RawBuilder<unknown>[],
): ViewRow[] {
  const { rows, where, onwards, backwards, order } = source
  const id = sql.raw(source.id)
  const end = to === undefined ? sql`` : sql`and (r.at, ${id}) ${sql.raw(`${backwards}=`)} (${to.at}, ${to.id})`
  const query = sql<ViewRow>`${sql.raw(rows)} and ${sql.raw(where)}
    and (r.at, ${id}) ${sql.raw(onwards)} (${from.at}, ${from.id}) ${end}
    and ${sql.join(conditions, sql` and `)} order by ${sql.raw(order)}`
  return run<ViewRow>(db, query)
}

function run<R>(db: Connection, query: RawBuilder<R>): R[] {
  const compiled = query.compile(writer)
  return db.query<R>(compiled.sql, compiled.parameters)
}
