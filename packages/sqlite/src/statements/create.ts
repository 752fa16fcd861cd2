import type { Payload } from '@q/core/storage'
import { type Bound, type Statement, statement } from '../statement.ts'

/** So many plain jobs travel in one statement. */
export const plainChunk = 25

const jobFields = 12
const readyFields = 8

export const addJob: Statement<
  [string, number, number, number, number, number, number, number, string | null, string | null, string | null, Payload]
> = statement((t) => `insert into ${t.job} values (${marks(jobFields)})`)
export const addJobs: Statement<readonly Bound[]> = statement(
  (t) => `insert into ${t.job} values ${rows(jobFields)} on conflict do nothing`,
)
export const addReadies: Statement<readonly Bound[]> = statement(
  (t) => `insert into ${t.ready} values ${rows(readyFields)}`,
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

function marks(fields: number): string {
  return Array(fields).fill('?').join(', ')
}

function rows(fields: number): string {
  return Array(plainChunk)
    .fill(`(${marks(fields)})`)
    .join(', ')
}
