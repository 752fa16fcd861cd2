import type { Payload } from '@q/core/storage'
import { type RowsStatement, type Statement, rowsStatement, statement } from '../statement.ts'

export interface ReleasedLease {
  readonly id: string
  readonly call: number
  readonly queue: number
  readonly name: number
  readonly at: number
  readonly ready_at: number
  readonly state: number
  readonly kept: number
}

const released = 'id, call, queue, name, at, ready_at, state, kept'

/** The fence: a lease is only given up to the claim that holds it. */
export const releasePlain: Statement<[number, string, number], ReleasedLease> = statement(
  (t) => `delete from ${t.lease} where session = ? and id = ? and call = ? and rare = 0 returning ${released}`,
)
export const releaseMany: Statement<[number, number, string], ReleasedLease> = statement(
  (t) => `delete from ${t.lease} where session = ? and call = ? and rare = 0
    and id in (select value from json_each(?)) returning ${released}`,
)

/** So many plain ends travel in one statement. */
export const endChunk = 25

export const finishMany: RowsStatement<{
  readonly phase: number
  readonly state: number
  readonly session: number
  readonly call: number
  readonly server: number
  readonly removeAt: number | null
}> = rowsStatement(
  endChunk,
  (t) => `insert into ${t.done}`,
  () => '?, @phase, @state, ?, @session, ?, @call, @server, ?, ?, ?, ?, @removeAt, 0, ?, null, null, null, ?',
)

export const finishPlain: Statement<
  [
    string,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number | null,
    number | null,
    number,
    number,
    string | null,
    string | null,
    string | null,
    Payload | null,
  ]
> = statement((t) => `insert into ${t.done} values (${Array(19).fill('?').join(', ')})`)

export const findKept: Statement<[string], { cold: string }> = statement(
  (t) => `select cold from ${t.job} where id = ?`,
)

export interface Stub {
  readonly id: string
  readonly phase: number
  readonly commands: string
  readonly ended: string
  readonly until: number
}

export const findStub: Statement<[string, number], Stub> = statement(
  (t) => `select * from ${t.stub} where id = ? and until > ?`,
)
