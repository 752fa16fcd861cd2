import type { Payload } from '@q/core/storage'
import { type Statement, statement } from '../statement.ts'

export interface PickedRow {
  /** Where the row among the ready ones begins, and the last job of it. */
  readonly head: number
  readonly last: number
  readonly priority: number
  readonly seq: number
  readonly id: string
  readonly at: number
  readonly rare: number
  readonly name: number
  readonly version: number
  readonly created: number
  readonly cold: string | null
  readonly payload: Payload
}

/** The first of a queue: the key of `ready` is the order in which jobs are claimed, and there is no other predicate. */
export const pickReady: Statement<[number, number], PickedRow> = statement(
  (t) => `select r.seq as head, r.last, r.priority, r.seq + j.seq - r.born as seq, j.id, r.at, r.rare, r.name,
    j.version, j.created, j.cold, j.payload
    from ${t.ready} r cross join ${t.job} j on j.seq between r.born and r.last
    where r.queue = ? order by r.priority, r.seq, j.seq limit ?`,
)

/** Leases for all jobs of a range of plain rows. What lies behind the counted ones is taken in advance. */
export const leaseTaken: Statement<
  [number, number, number, number, number, number, number, number, number, number, number]
> = statement(
  (t) => `insert into ${t.lease}
    select ?, j.id, ?, r.queue, r.name, r.priority, j.seq, ?, r.at, ?, 0, r.kept,
      case when (r.priority, j.seq) > (?, ?) then 1 else 0 end
    from ${t.ready} r cross join ${t.job} j on j.seq between r.born and r.last
    where r.queue = ? and (r.priority, r.seq) >= (?, ?) and (r.priority, r.seq) <= (?, ?)`,
)
export const dropTaken: Statement<[number, number, number, number, number]> = statement(
  (t) => `delete from ${t.ready} where queue = ? and (priority, seq) >= (?, ?) and (priority, seq) <= (?, ?)`,
)

/** Parked jobs of these names and versions, the oldest place first. */
export const adoptable: Statement<[number, string, number], { id: string }> = statement(
  (t) => `select id from ${t.more} where phase = 4 and queue = ?
    and parked_for in (select value from json_each(?)) order by priority, seq limit ?`,
)

export const readPayloadOf: Statement<[string], { payload: Payload }> = statement(
  (t) => `select payload from ${t.job} where id = ?`,
)
