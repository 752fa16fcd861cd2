import type { Payload } from '@q/core/storage'
import { type Statement, statement } from '../statement.ts'

export interface JobRow {
  readonly id: string
  readonly queue: number
  readonly name: number
  readonly version: number
  readonly priority: number
  readonly seq: number
  readonly created: number
  readonly state: number
  readonly by: string | null
  readonly cold: string | null
}

export interface MoreRow {
  readonly id: string
  readonly phase: number
  readonly at: number
  readonly queue: number
  readonly priority: number
  readonly seq: number
  readonly n: number
  readonly state: string
  readonly reason: string | null
  readonly error: string | null
  readonly error_preview: string | null
  readonly by: string
  readonly command: string | null
  readonly attempt: number
  readonly crashes: number
  readonly ready_at: number
  readonly due_at: number | null
  readonly remove_at: number | null
  readonly expires_at: number | null
  readonly waited: number | null
  readonly ran: number | null
  readonly session: number | null
  readonly call: number | null
  readonly claimed: number | null
  readonly parked_for: string | null
  readonly last_error: string | null
  readonly rest: string
}

export interface LeaseRow {
  readonly session: number
  readonly id: string
  readonly call: number
  readonly queue: number
  readonly name: number
  readonly priority: number
  readonly seq: number
  readonly at: number
  readonly ready_at: number
  readonly state: number
  readonly rare: number
  readonly kept: number
  readonly extra: number
}

export interface ReadyRow {
  readonly seq: number
  /** Of a plain row, the place of its last job. */
  readonly last: number
  readonly rare: number
}

export interface DoneRow {
  readonly id: string
  readonly phase: number
  readonly state: number
  readonly at: number
  readonly session: number
  readonly call: number
  readonly ended_by: number
  readonly server: number
  readonly claimed: number
  readonly claim_state: number
  readonly ready_at: number
  readonly ran: number | null
  readonly remove_at: number | null
  readonly custom: number
  readonly queue: number
  readonly reason: string | null
  readonly error: string | null
  readonly error_preview: string | null
  readonly data: Payload | null
}

export const jobColumns = 'id, queue, name, version, priority, seq, created, state, by, cold'
const moreColumns =
  'id, phase, at, queue, priority, seq, n, state, reason, error, error_preview, by, command, attempt, crashes, ready_at, due_at, remove_at, expires_at, waited, ran, session, call, claimed, parked_for, last_error, rest'

/** Without the payload, which stands last in the row and may be long. */
export const findJob: Statement<[string], JobRow> = statement((t) => `select ${jobColumns} from ${t.job} where id = ?`)
export const hasJob: Statement<[string], { one: 1 }> = statement((t) => `select 1 as one from ${t.job} where id = ?`)
export const findMore: Statement<[string], MoreRow> = statement(
  (t) => `select ${moreColumns} from ${t.more} where id = ?`,
)
export const findDone: Statement<[string], DoneRow> = statement((t) => `select * from ${t.done} where id = ?`)
export const findLease: Statement<[number, string], LeaseRow> = statement(
  (t) => `select * from ${t.lease} where session = ? and id = ?`,
)
/** A handful of sessions hold leases; each is one look. */
export const findLeaseAnywhere: Statement<[string], LeaseRow> = statement(
  (t) => `select l.* from ${t.session} s cross join ${t.lease} l on l.session = s.n and l.id = ?`,
)
/** The row of a queue that a place may stand in: spans do not overlap. */
export const findReady: Statement<[number, number, number], ReadyRow> = statement(
  (t) => `select seq, last, rare from ${t.ready}
    where queue = ? and priority = ? and seq <= ? order by seq desc limit 1`,
)

export const markReady: Statement<[number, number, number]> = statement(
  (t) => `update ${t.ready} set rare = 1 where queue = ? and priority = ? and seq = ?`,
)
export const markLease: Statement<[number, string]> = statement(
  (t) => `update ${t.lease} set rare = 1 where session = ? and id = ?`,
)
export const dropDone: Statement<[string]> = statement((t) => `delete from ${t.done} where id = ?`)

/** Keeps the progress, which is written apart. */
export const saveMore: Statement<
  [
    string,
    number,
    number,
    number,
    number,
    number,
    number,
    string,
    string | null,
    string | null,
    string | null,
    string,
    string | null,
    number,
    number,
    number,
    number | null,
    number | null,
    number | null,
    number | null,
    number | null,
    number | null,
    number | null,
    number | null,
    string | null,
    string | null,
    string,
  ]
> = statement(
  (t) =>
    `insert into ${t.more} (${moreColumns}) values (${Array(27).fill('?').join(', ')})
     on conflict (id) do update set ${moreColumns
       .split(', ')
       .slice(1)
       .map((column) => `${column} = excluded.${column}`)
       .join(', ')}`,
)
export const saveProgress: Statement<[Payload, string]> = statement(
  (t) => `update ${t.more} set progress = ? where id = ?`,
)

export const addHistory: Statement<
  [
    string,
    number,
    string,
    number,
    number,
    number,
    string,
    string | null,
    string | null,
    string | null,
    string | null,
    Payload | null,
  ]
> = statement((t) => `insert into ${t.history} values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
export const forgetHistory: Statement<[string, number]> = statement(
  (t) => `delete from ${t.history} where id = ? and n <= ?`,
)

export const addReady: Statement<[number, number, number, number, number, string, number, number, number, number]> =
  statement((t) => `insert into ${t.ready} values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
/** The rest of a span, from a place on, gets a row of its own; the first row is shortened after that. */
export const addRest: Statement<[number, number, number, number]> = statement(
  (t) => `insert into ${t.ready} select r.queue, r.priority, j.seq, j.seq, r.last, j.id, r.at, r.name, 0, r.kept
    from ${t.ready} r join ${t.job} j on j.seq = ?
    where r.queue = ? and r.priority = ? and r.seq = ?`,
)
export const shortenReady: Statement<[number, number, number, number]> = statement(
  (t) => `update ${t.ready} set last = ? where queue = ? and priority = ? and seq = ?`,
)
export const dropReady: Statement<[number, number, number]> = statement(
  (t) => `delete from ${t.ready} where queue = ? and priority = ? and seq = ?`,
)
export const anyReady: Statement<[number], { one: 1 }> = statement(
  (t) => `select 1 as one from ${t.ready} where queue = ? limit 1`,
)

export const addLease: Statement<
  [number, string, number, number, number, number, number, number, number, number, number, number, number]
> = statement((t) => `insert into ${t.lease} values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
export const dropLease: Statement<[number, string]> = statement(
  (t) => `delete from ${t.lease} where session = ? and id = ?`,
)

export const addDue: Statement<[number, number, number, string]> = statement(
  (t) => `insert into ${t.due} values (?, ?, ?, ?)`,
)
export const dropDue: Statement<[number, number, number, string]> = statement(
  (t) => `delete from ${t.due} where queue = ? and at = ? and born = ? and id = ?`,
)
export const nextDueOf: Statement<[number], { at: number }> = statement(
  (t) => `select at from ${t.due} where queue = ? order by at limit 1`,
)
export const dueOf: Statement<[number, number, number], { id: string; at: number; born: number }> = statement(
  (t) => `select id, at, born from ${t.due} where queue = ? and at <= ? order by at, born limit ?`,
)
/** Reads the counts as they are stored: save the book first. */
export const queuesWithDue: Statement<[], { n: number }> = statement(
  (t) => `select n from ${t.queue} where scheduled > 0`,
)
