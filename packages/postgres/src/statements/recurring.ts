import type { Paused } from '@q/core/storage'
import type { RawOutcome } from '../codec.ts'
import type { Statement } from '../statement.ts'

export interface RecurringRow {
  readonly id: string
  readonly spec: string
  readonly job: object
  readonly next_at: number | string | null
  readonly last_at: number | string | null
  readonly last_job: string | null
  readonly version: number | string
  readonly error: string | null
  readonly paused: Paused | null
  readonly owner: string | null
  readonly revision: number | string | null
  readonly look_at?: number | string | null
}

export const putRecurring: Statement<[list: string], { reply: readonly { ok: boolean; version: number }[] }> = {
  name: 'put-recurring',
  text: (q) => /* sql */ `select ${q}.recurring_put_v1($1::jsonb) as reply`,
}

export const removeRecurring: Statement<[list: string], { reply: readonly boolean[] }> = {
  name: 'remove-recurring',
  text: (q) => /* sql */ `select ${q}.recurring_remove_v1($1::jsonb) as reply`,
}

/** One row at least, for the time. */
export const dueRecurring: Statement<[limit: number], { now: string; record: RecurringRow | null }> = {
  name: 'due-recurring',
  text: (q) => /* sql */ `
    select t.now, to_jsonb(r) as record from (select ${q}.now_ms() as now) t
    left join (select * from ${q}.recurring where look_at is not null order by look_at, id limit $1) r on true
    order by r.look_at, r.id`,
}

export const tickRecurring: Statement<
  [list: string],
  {
    reply: readonly { ok: boolean; skipped?: boolean; plain?: readonly number[]; slow?: readonly RawOutcome[] }[]
    topics: string | null
  }
> = { name: 'tick-recurring', text: (q) => /* sql */ `select reply, topics from ${q}.recurring_tick_v1($1::jsonb)` }

/** The phase of the job now, or its last one. */
export const recurringRuns: Statement<
  [id: string, limit: number],
  { job: string; at: string; phase: number; ran: number | null }
> = {
  name: 'recurring-runs',
  text: (q) => /* sql */ `
    select u.job, u.at, coalesce(p.phase, case when l.id is not null then 3::smallint end, d.phase, u.phase) as phase, coalesce(p.ran, d.ran, u.ran) as ran
    from (select * from ${q}.recurring_run where recurring = $1 order by at desc, job desc limit $2) u
    left join ${q}.pending p on p.id = u.job left join ${q}.lease l on l.id = u.job left join ${q}.done d on d.id = u.job
    order by u.at desc, u.job desc`,
}
