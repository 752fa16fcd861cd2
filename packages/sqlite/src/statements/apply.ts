import type { Payload } from '@q/core/storage'
import { type Statement, statement } from '../statement.ts'

/** The fence: a lease is only given up to the claim that holds it. */
export const releasePlain: Statement<
  [number, string, number],
  { queue: number; name: number; at: number; ready_at: number; state: number; kept: number }
> = statement(
  (t) => `delete from ${t.lease} where session = ? and id = ? and call = ? and rare = 0
    returning queue, name, at, ready_at, state, kept`,
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
