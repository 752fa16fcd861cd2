import {
  type JobQuery,
  type JobSummary,
  type Page,
  type PageRequest,
  type Phase,
  isJobId,
  matchesQuery,
  phases,
} from '@q/core/storage'
import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type RawBuilder,
  sql,
} from 'kysely'
import { type Mark, readCursor, writeCursor } from './cursor.ts'
import { idToUuid } from './id.ts'
import type { Names } from './names.ts'
import { phase as numberOf } from './phases.ts'
import type { Look } from './reading.ts'
import { type SummaryRow, children, heldBy, summaries } from './statements/monitor.ts'
import { decodeSummary, factsOf } from './views.ts'

/** A page looks at no more jobs than this; then it says how far it came. */
const mostScanned = 20_000
const chunk = 1_000

type Order = NonNullable<PageRequest['order']>

/** A candidate, and where it stands in the order that is asked for. */
interface Key {
  readonly id: string
  readonly queue: number
  readonly name: number
  readonly attempt: number
  readonly a: string
  readonly b: string
}

/** Only writes SQL: statements are run on the connections for reading. */
const writer = new Kysely<Record<never, never>>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
})

/**
 * A page of jobs: candidates are read from an index in the order that is asked for, a chunk at a time, and what the
 * index does not know is asked of the few that are left.
 */
export async function listJobs(
  look: Look,
  names: Names,
  schema: string,
  query: JobQuery,
  { limit, cursor, order = 'newest' }: PageRequest,
): Promise<Page<JobSummary>> {
  let mark = readCursor(cursor, order, markLength[order])
  const items: JobSummary[] = []
  if (limit <= 0) return { items }
  const source = await sourceOf(look, names, schema, query, order)
  let scanned = 0
  for (;;) {
    const size = source.isFiltered ? chunk : limit + 1
    const keys = await source.after(mark, size)
    const wanted = keys.filter(source.mayMatch)
    const rows = await load(look, names, wanted)
    for (const key of keys) {
      if (items.length === limit) return { items, next: writeCursor(order, mark!) }
      scanned++
      mark = source.markOf(key)
      const row = rows.get(key.id)
      if (row === undefined) continue
      const summary = decodeSummary(row, names)
      if (matchesQuery(factsOf(row, summary, query.parent), query)) items.push(summary)
    }
    if (keys.length < size) return { items }
    if (items.length === limit) continue
    if (scanned >= mostScanned)
      return { items, next: writeCursor(order, mark!), searched: { scanned, complete: false } }
  }
}

export async function countJobs(
  look: Look,
  names: Names,
  schema: string,
  query: JobQuery,
  max: number,
): Promise<{ value: number; exact: boolean }> {
  const source = await sourceOf(look, names, schema, query, 'newest')
  let mark: Mark | undefined
  let value = 0
  for (let scanned = 0; scanned < mostScanned;) {
    const keys = await source.after(mark, chunk)
    scanned += keys.length
    const wanted = keys.filter(source.mayMatch)
    if (source.isFiltered) {
      for (const row of (await load(look, names, wanted)).values()) {
        if (matchesQuery(factsOf(row, decodeSummary(row, names), query.parent), query)) value++
      }
    } else {
      value += keys.length
    }
    if (value > max) return { value: max, exact: false }
    if (keys.length < chunk) return { value, exact: true }
    mark = source.markOf(keys.at(-1)!)
  }
  return { value, exact: false }
}

const markLength: Readonly<Record<Order, number>> = { newest: 2, oldest: 2, claim: 3, due: 2 }

interface Source {
  /** The index does not know all that is asked. */
  readonly isFiltered: boolean
  mayMatch(key: Key): boolean
  after(mark: Mark | undefined, size: number): Promise<Key[]>
  markOf(key: Key): Mark
}

async function load(look: Look, names: Names, keys: readonly Key[]): Promise<ReadonlyMap<string, SummaryRow>> {
  if (keys.length === 0) return new Map()
  const rows = await look.read(summaries, [keys.map(({ id }) => id)])
  await names.recall(
    rows.map(({ queue }) => queue),
    rows.map(({ name }) => name),
  )
  return new Map(rows.map((row) => [row.id, row]))
}

async function sourceOf(look: Look, names: Names, schema: string, query: JobQuery, order: Order): Promise<Source> {
  const table = (name: string): RawBuilder<unknown> => sql.id(schema, name)
  const queues = query.queue && (await names.queuesNamed(query.queue))
  const jobs = query.name && (await names.jobsNamed(query.name))
  const { minAttempt = 0 } = query
  const mayMatch = ({ queue, name, attempt }: Key): boolean =>
    (queues === undefined || queues.includes(queue)) &&
    (jobs === undefined || jobs.includes(name)) &&
    attempt >= minAttempt
  const isFiltered = Object.entries(query).some(
    ([field, value]) => value !== undefined && field !== 'phase' && !(order === 'claim' && field === 'queue'),
  )
  const run = async (built: RawBuilder<Key>): Promise<Key[]> => {
    const { sql: text, parameters }: CompiledQuery = built.compile(writer)
    return look.run<Key>(text, parameters)
  }
  switch (order) {
    case 'newest':
    case 'oldest': {
      const few = await fewOf(look, query)
      const { enteredAfter, enteredBefore } = query
      const markOf = ({ a, id }: Key): Mark => [Number(a), id]
      return {
        isFiltered,
        mayMatch,
        markOf,
        after: (mark, size) =>
          run(
            byEntry(table, phasesOf(query), order, {
              mark,
              size,
              few,
              error: query.error,
              enteredAfter,
              enteredBefore,
            }),
          ),
      }
    }
    case 'claim': {
      const nums = queues ?? (await names.queuesNamed(null))
      const sorted = [...nums].sort((x, y) => (names.queueOf(x) < names.queueOf(y) ? -1 : 1))
      return {
        isFiltered,
        mayMatch,
        markOf: ({ queue, a, b }) => [queue, Number(a), b],
        async after(mark, size) {
          const found: Key[] = []
          for (const num of sorted.slice(mark === undefined ? 0 : sorted.indexOf(Number(mark[0])))) {
            if (found.length >= size) break
            const from = mark !== undefined && Number(mark[0]) === num ? mark : undefined
            found.push(...(await run(byClaim(table, num, from, size - found.length))))
          }
          return found
        },
      }
    }
    case 'due':
      return {
        isFiltered,
        mayMatch,
        markOf: ({ a, b }) => [Number(a), b],
        after: async (mark, size) =>
          query.phase?.includes('scheduled') === false ? [] : run(byDue(table, mark, size)),
      }
    default:
      return order satisfies never
  }
}

/** Jobs that something else already holds together. */
async function fewOf(look: Look, query: JobQuery): Promise<readonly string[] | undefined> {
  if (query.session !== undefined) return (await look.read(heldBy, [query.session])).map(({ id }) => id)
  if (query.parent === undefined) return undefined
  if (!isJobId(query.parent)) return []
  return (await look.read(children, [idToUuid(query.parent)])).map(({ id }) => id)
}

function phasesOf(query: JobQuery): readonly Phase[] {
  return query.phase === undefined ? phases : [...new Set(query.phase)]
}

interface Span {
  readonly mark: Mark | undefined
  readonly size: number
  readonly few: readonly string[] | undefined
  readonly error: string | undefined
  readonly enteredAfter: number | undefined
  readonly enteredBefore: number | undefined
}

type Table = (name: string) => RawBuilder<unknown>

/** Each phase from its own index, as many as the page can need; then the first of all of them. */
function byEntry(table: Table, wanted: readonly Phase[], order: 'newest' | 'oldest', span: Span): RawBuilder<Key> {
  const { mark, size, few, error, enteredAfter, enteredBefore } = span
  const direction = sql.raw(order === 'newest' ? 'desc' : 'asc')
  const within: RawBuilder<unknown>[] = []
  if (enteredAfter !== undefined) within.push(sql`at >= ${enteredAfter}::float8`)
  if (enteredBefore !== undefined) within.push(sql`at < ${enteredBefore}::float8`)
  const conditions = [...within]
  if (mark !== undefined) {
    conditions.push(sql`(at, id) ${sql.raw(order === 'newest' ? '<' : '>')} (${mark[0]}::bigint, ${mark[1]}::uuid)`)
  }
  if (few !== undefined) conditions.push(sql`id = any (${few}::uuid[])`)
  if (error !== undefined) conditions.push(sql`error = ${error}`)
  const part = (from: RawBuilder<unknown>, ...where: RawBuilder<unknown>[]): RawBuilder<unknown> => sql`
    (select id, queue, name, attempt, at as a, '' as b from ${from} where ${sql.join([...where, ...conditions, sql`true`], sql` and `)}
      order by at ${direction}, id ${direction} limit ${size})`

  const parts = wanted.flatMap((phase) => {
    const is = sql`phase = ${sql.lit(numberOf[phase])}`
    switch (phase) {
      case 'active':
        return error === undefined ? [part(table('lease'))] : []
      case 'awaiting':
      case 'scheduled':
      case 'ready':
      case 'parked':
        return [part(table('pending'), is)]
      case 'failed':
      case 'deleted':
        return [part(table('done'), is)]
      case 'succeeded':
        if (few !== undefined)
          return [part(sql`unnest(${few}::uuid[]) f(job) cross join lateral ${table('done_v1')}(f.job)`, is)]
        return error === undefined ? [part(table('done'), is), part(packed(table, direction, mark, within))] : []
      default:
        return phase satisfies never
    }
  })
  if (parts.length === 0) parts.push(part(table('lease'), sql`false`))
  return sql<Key>`select * from (${sql.join(parts, sql` union all `)}) candidates order by a ${direction}, id ${direction} limit ${size}`
}

function packed(
  table: Table,
  direction: RawBuilder<unknown>,
  mark: Mark | undefined,
  within: readonly RawBuilder<unknown>[],
): RawBuilder<unknown> {
  const from =
    mark === undefined
      ? sql`true`
      : sql`at ${sql.raw(direction.compile(writer).sql === 'desc' ? '<=' : '>=')} ${mark[0]}::bigint`
  return sql`(
    select u.id, b.queue, u.name, b.attempt, b.at, null::text as error
    from (select at, queue, attempt, ids, names from ${table('batch')} where ${sql.join([from, ...within], sql` and `)} order by at ${direction}) b
    cross join lateral unnest(b.ids, b.names) u(id, name)) listed`
}

function byClaim(table: Table, queue: number, mark: Mark | undefined, size: number): RawBuilder<Key> {
  const from = mark === undefined ? sql`true` : sql`(priority, seq) > (${mark[1]}::int, ${mark[2]}::bigint)`
  const part = (where: RawBuilder<unknown>): RawBuilder<unknown> => sql`
    (select id, queue, name, attempt, priority as a, seq as b from ${table('pending')}
      where queue = ${queue} and ${where} and ${from} order by priority, seq limit ${size})`
  return sql<Key>`
    select * from (${part(sql`phase = 2 and not aside`)} union all ${part(sql`aside`)}) candidates order by a, b limit ${size}`
}

function byDue(table: Table, mark: Mark | undefined, size: number): RawBuilder<Key> {
  const from = mark === undefined ? sql`true` : sql`(due_at, seq) > (${mark[0]}::bigint, ${mark[1]}::bigint)`
  return sql<Key>`
    select id, queue, name, attempt, due_at as a, seq as b from ${table('pending')} where phase = 1 and ${from}
    order by due_at, seq limit ${size}`
}
