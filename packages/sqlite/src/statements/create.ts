import type { Payload } from '@q/core/storage'
import { type RowsStatement, type Statement, rowsStatement, statement } from '../statement.ts'

/** So many plain jobs of one kind travel in one statement. */
export const plainChunk = 25

/** What plain jobs of one kind share. */
export interface SharedByJobs {
  readonly queue: number
  readonly name: number
  readonly version: number
  readonly priority: number
  readonly state: number
  readonly by: string | null
  readonly cold: string | null
  readonly now: number
}

export const addJob: Statement<
  [string, number, number, number, number, number, number, number, string | null, string | null, string | null, Payload]
> = statement((t) => `insert into ${t.job} values (${Array(12).fill('?').join(', ')}) on conflict (id) do nothing`)

/** The jobs that follow the first one, at `seq`, stand behind it. */
type ChunkOfJobs = RowsStatement<SharedByJobs & { readonly seq: number }>

const chunkOfJobs = (columns: string, own: string): ChunkOfJobs =>
  rowsStatement(
    plainChunk,
    (t) => `insert into ${t.job} (id, ${columns}, queue, name, version, priority, seq, created, state, by, cold)`,
    (place) => `?, ${own}, @queue, @name, @version, @priority, @seq + ${place}, @now, @state, @by, @cold`,
    'on conflict (id) do nothing',
  )
export const addJobs: ChunkOfJobs = chunkOfJobs('payload', '?')
export const addPreviewedJobs: ChunkOfJobs = chunkOfJobs('payload, preview', '?, ?')
/** A row of its own for each of the jobs born between two of them. */
export const addReadies: Statement<[number, number, number]> = statement(
  (t) => `insert into ${t.ready} select queue, priority, seq, seq, seq, id, created, name, 0, ?
    from ${t.job} where seq between ? and ?`,
)
/** The last job of the span that begins at or before an id, among those that became ready at an instant. */
export const lastOfSpan: Statement<[number, string], { id: string }> = statement(
  (t) => `select j.id from ${t.ready} r cross join ${t.job} j on j.seq = r.last
    where r.rare = 0 and r.last > r.born and r.at = ? and r.id <= ? order by r.id desc limit 1`,
)
export const addTag: Statement<[string, string]> = statement((t) => `insert or ignore into ${t.tag} values (?, ?)`)
export const hasStub: Statement<[string, number], { one: 1 }> = statement(
  (t) => `select 1 as one from ${t.stub} where id = ? and until > ?`,
)
/** While a removed job is remembered, every new id has to be looked for. */
export const anyStub: Statement<[], { one: 1 }> = statement((t) => `select 1 as one from ${t.stub} limit 1`)
/** Takes back what one chunk has inserted: places are given out once. */
export const dropPlaces: Statement<[number, number]> = statement(
  (t) => `delete from ${t.job} where seq between ? and ?`,
)
