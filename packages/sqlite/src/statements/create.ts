import type { Payload } from '@q/core/storage'
import { type RowsStatement, type Statement, rowsStatement, statement } from '../statement.ts'

/** So many plain jobs of one kind travel in one statement. */
export const plainChunk = 25

/** What plain jobs of one kind share; the first one's place, after which the others follow. */
interface SharedByJobs {
  readonly queue: number
  readonly name: number
  readonly version: number
  readonly priority: number
  readonly state: number
  readonly by: string | null
  readonly now: number
  readonly kept: number
  readonly seq: number
}

export const addJob: Statement<
  [string, number, number, number, number, number, number, number, string | null, string | null, string | null, Payload]
> = statement((t) => `insert into ${t.job} values (${Array(12).fill('?').join(', ')}) on conflict do nothing`)
export const addJobs: RowsStatement<SharedByJobs> = rowsStatement(
  plainChunk,
  (t) => `insert into ${t.job}`,
  (place) => `?, @queue, @name, @version, @priority, @seq + ${place}, @now, @state, @by, ?, ?, ?`,
  'on conflict do nothing',
)
export const addReadies: RowsStatement<SharedByJobs> = rowsStatement(
  plainChunk,
  (t) => `insert into ${t.ready}`,
  (place) => `@queue, @priority, @seq + ${place}, ?, @now, @name, 0, @kept`,
)
export const addTag: Statement<[string, string]> = statement((t) => `insert or ignore into ${t.tag} values (?, ?)`)
export const hasStub: Statement<[string, number], { one: 1 }> = statement(
  (t) => `select 1 as one from ${t.stub} where id = ? and until > ?`,
)
/** While a removed job is remembered, every new id has to be looked for. */
export const anyStub: Statement<[], { one: 1 }> = statement((t) => `select 1 as one from ${t.stub} limit 1`)
/** Takes back what one chunk has inserted: places are given out once. */
export const dropPlaces: Statement<[string, number, number]> = statement(
  (t) => `delete from ${t.job} where id in (select value from json_each(?)) and seq between ? and ?`,
)
