import type { Paused } from '@q/core/storage'
import type { RawRecord } from '../codec.ts'
import type { Statement } from '../statement.ts'
import type { RecurringRow } from './recurring.ts'

/** A job as lists show it. */
export interface SummaryRow {
  readonly id: string
  readonly created_at: string
  readonly expires_at: string | null
  readonly version: number
  readonly preview: string | null
  /** Enough of a short payload to show its start. */
  readonly start: string | null
  readonly tags: readonly string[] | null
  readonly recurring: { readonly id: string; readonly at: number } | null
  readonly phase: number
  readonly queue: number
  readonly name: number
  readonly priority: number
  readonly attempt: number
  readonly crashes: number
  readonly flags: number
  readonly due_at: string | null
  readonly remove_at: string | null
  readonly waited: number | null
  readonly ran: number | null
  readonly error: string | null
  readonly session: string | null
  readonly server: string | null
  readonly record: RawRecord
}

const summaryColumns = (q: string): string => /* sql */ `
  j.id, j.created_at, j.expires_at, j.version, j.preview, case when j.preview is null then left(j.payload, 2700) end as start, j.tags,
  j.rare->'recurring' as recurring,
  coalesce(p.phase, d.phase, 3::smallint) as phase, coalesce(p.queue, l.queue, d.queue) as queue, coalesce(p.name, l.name, d.name) as name,
  coalesce(p.priority, l.priority, d.priority) as priority, coalesce(p.attempt, l.attempt, d.attempt) as attempt,
  coalesce(p.crashes, l.crashes, d.crashes) as crashes, coalesce(p.flags, l.flags, d.flags) as flags, p.due_at,
  d.remove_at,
  coalesce(p.waited, l.at - l.ready_at, d.waited) as waited, coalesce(p.ran, d.ran) as ran, p.error, s.id as session, s.server,
  ${q}.present_record(j.id, coalesce(p.phase, d.phase, 3::smallint), coalesce(p.n, l.n, d.n), l.at, l.attempt, l.session, coalesce(l.claim_state, d.claim_state))`

const summarySource = (q: string): string => /* sql */ `
  from unnest($1::uuid[]) with ordinality u(id, i) join ${q}.job j on j.id = u.id
  left join ${q}.pending p on p.id = u.id left join ${q}.lease l on l.id = u.id left join lateral ${q}.done_v1(u.id) d on true
  left join ${q}.session s on s.num = l.session
  where p.id is not null or l.id is not null or d.id is not null`

export const summaries: Statement<[ids: readonly string[]], SummaryRow> = {
  name: 'summaries',
  text: (q) => /* sql */ `select ${summaryColumns(q)} - 'data' as record ${summarySource(q)} order by u.i`,
}

export interface ViewRow extends SummaryRow {
  readonly payload: string
  readonly params: Readonly<Record<string, string>> | null
  readonly progress: string | null
  readonly parents: readonly { readonly id: string; readonly phase: number | null }[] | null
  readonly children: number
  readonly wished: { readonly reason?: string } | null
}

const phaseById = (q: string, id: string): string => /* sql */ `
  coalesce((select phase from ${q}.pending where id = ${id}), (select 3::smallint from ${q}.lease where id = ${id}), (select phase from ${q}.done_v1(${id})))`

export const views: Statement<[ids: readonly string[]], ViewRow> = {
  name: 'views',
  text: (
    q,
  ) => /* sql */ `select ${summaryColumns(q)} as record, j.payload, coalesce(x.params, j.params) as params, x.progress,
    (select jsonb_agg(jsonb_build_object('id', e.parent, 'phase', ${phaseById(q, 'e.parent')}) order by e.k) from ${q}.edge e where e.child = j.id) as parents,
    (select count(*)::int from ${q}.edge e where e.parent = j.id and e.mask <> 0) as children, w.state as wished
  ${summarySource(q).replace('where', `left join ${q}.extra x on x.id = u.id left join ${q}.wish w on w.id = u.id where`)} order by u.i`,
}

/** All records of a job in the order of their numbers, from after $2. */
export const history: Statement<[id: string, after: number], { record: RawRecord }> = {
  name: 'history',
  text: (q) => /* sql */ `
    select record from (
      select ${q}.creation_record(j) as record from ${q}.job j where j.id = $1 and $2 < 1
      union all
      select r from ${q}.history h, jsonb_array_elements(h.records) r where h.id = $1 and h.n > $2
      union all
      select ${q}.claim_record(l.n, l.at, l.attempt, l.session, l.claim_state) from ${q}.lease l where l.id = $1
      union all
      select r from ${q}.done_v1($1) d, jsonb_array_elements(${q}.run_records(d)) r where d.claim_state is not null
    ) all_of_them where (record->>'n')::int > $2 order by (record->>'n')::int desc limit 200`,
}

export const logLines: Statement<
  [id: string, after: number],
  { n: number; at: string; attempt: number; text: string }
> = {
  name: 'log-lines',
  text: (q) => /* sql */ `select n, at, attempt, text from ${q}.log where id = $1 and n > $2 order by n`,
}

export const children: Statement<[parent: string], { id: string }> = {
  name: 'children',
  text: (q) => /* sql */ `select child as id from ${q}.edge where parent = $1 and mask <> 0 limit 20000`,
}

export const heldBy: Statement<[session: string], { id: string }> = {
  name: 'held-by',
  text: (q) => /* sql */ `select l.id from ${q}.lease l join ${q}.session s on s.num = l.session where s.id = $1`,
}

export const foldAll: Statement<[], never> = { name: 'fold-all', text: (q) => /* sql */ `select ${q}.fold_all_v1()` }

export interface CountRow {
  readonly now: string
  readonly queue: number
  readonly name: string
  readonly d: readonly string[]
  readonly retrying: string
  readonly oldest: string | null
}

/** Sums of deltas, never a walk over jobs; only the heads of the queues are looked at. */
export const countsByQueue: Statement<[], CountRow> = {
  name: 'counts-by-queue',
  text: (q) => /* sql */ `
    select ${q}.now_ms() as now, c.num as queue, c.name, coalesce(t.d, '{0,0,0,0,0,0,0,0}') as d, coalesce(t.retrying, 0) as retrying, head.at as oldest
    from ${q}.queue c
    left join (
      select queue, array[sum(d[1]), sum(d[2]), sum(d[3]), sum(d[4]), sum(d[5]), sum(d[6]), sum(d[7]), sum(d[8])]::bigint[] as d, sum(retrying)::bigint as retrying
      from (select queue, d, retrying from ${q}.tally_total union all select queue, d::bigint[], retrying from ${q}.tally) parts group by queue) t on t.queue = c.num
    left join lateral (
      select at from (
        (select at, priority, seq from ${q}.pending where queue = c.num and phase = 2 and not aside order by priority, seq limit 1)
        union all
        (select at, priority, seq from ${q}.pending where queue = c.num and aside order by priority, seq limit 1)) heads
      order by priority, seq limit 1) head on true
    order by c.name`,
}

export interface BucketRow {
  readonly at: string
  readonly queue: number
  readonly name: number
  readonly created: string
  readonly ok: string
  readonly bad: string
  readonly retried: string
  readonly runs: readonly string[]
  readonly waits: readonly string[]
}

/** `steps`: which of minute, hour and day (0, 1, 2); each bucket stands in exactly one of them. */
export const buckets: Statement<
  [steps: readonly number[], from: number, to: number, queue: string | null, name: string | null],
  BucketRow
> = {
  name: 'buckets',
  text: (q) => /* sql */ `
    select b.at, b.queue, b.name, b.created, b.ok, b.bad, b.retried, b.runs, b.waits from ${q}.bucket b
    where b.step = any ($1::smallint[]) and b.at >= $2 and b.at < $3
      and ($4::text is null or b.queue = (select num from ${q}.queue where name = $4)) and ($5::text is null or b.name = (select num from ${q}.name where name = $5))
    order by b.at`,
}

export interface FailureRow {
  readonly now: string
  readonly fingerprint: string
  readonly preview: string
  readonly names: readonly string[]
  readonly count: string
  readonly first_at: string
  readonly last_at: string
  readonly sample: string
  readonly hours: readonly (readonly [hour: number, count: number])[] | null
}

/** The latest first, before the mark. */
export const failures: Statement<
  [fingerprint: string | null, beforeAt: number | null, beforeFingerprint: string | null, limit: number],
  FailureRow
> = {
  name: 'failures',
  text: (q) => /* sql */ `
    select ${q}.now_ms() as now, f.fingerprint, f.preview, array(select name from ${q}.name where num = any (f.names) order by name) as names, f.count, f.first_at,
      f.last_at, f.sample, (select json_agg(json_build_array(h.hour, h.count)) from ${q}.failure_hour h where h.fingerprint = f.fingerprint and h.hour > f.last_at / 3600000 - 24) as hours
    from ${q}.failure f
    where ($1::text is null or f.fingerprint = $1) and ($2::bigint is null or (f.last_at, f.fingerprint) < ($2, $3::text))
    order by f.last_at desc, f.fingerprint desc limit $4`,
}

export interface StandingRow {
  readonly now: string
  readonly phase: number
  readonly queue: number
  readonly priority: number
  readonly seq: string | null
  readonly due_at: string | null
  readonly parked_for: string | null
  readonly gates:
    | readonly {
        readonly key: string
        readonly limit?: number
        readonly rate?: { readonly max: number; readonly per: number }
      }[]
    | null
  readonly parents: readonly { readonly id: string; readonly phase: number | null }[] | null
  readonly ahead: number | null
  readonly config: QueueRow
  readonly holds:
    | readonly {
        readonly key: string
        readonly used: number
        readonly holders: readonly string[]
        readonly full_at: number | null
      }[]
    | null
}

/** At most 10,001 jobs ahead are counted. */
export const standingOf: Statement<[id: string], StandingRow> = {
  name: 'standing',
  text: (q) => /* sql */ `
    select ${q}.now_ms() as now, ${phaseById(q, 'j.id')} as phase, p.queue, p.priority, p.seq, p.due_at, p.parked_for, j.rare->'gates' as gates,
      (select jsonb_agg(jsonb_build_object('id', e.parent, 'phase', ${phaseById(q, 'e.parent')}) order by e.k) from ${q}.edge e where e.child = j.id) as parents,
      case when p.phase = 2 then (select count(*)::int from (
        (select from ${q}.pending a where a.queue = p.queue and a.phase = 2 and not a.aside and (a.priority, a.seq) < (p.priority, p.seq) limit 10001)
        union all
        (select from ${q}.pending a where a.queue = p.queue and a.aside and (a.priority, a.seq) < (p.priority, p.seq) limit 10001)) x) end as ahead,
      to_jsonb(c) as config,
      (select jsonb_agg(jsonb_build_object('key', g->>'key', 'used', (select count(*) from ${q}.gate_hold h where h.key = g->>'key'),
        'holders', (select coalesce(jsonb_agg(id), '[]') from (select id from ${q}.gate_hold h where h.key = g->>'key' order by id limit 10) y),
        'full_at', (select full_at from ${q}.gate where key = g->>'key'))) from jsonb_array_elements(j.rare->'gates') g) as holds
    from ${q}.job j left join ${q}.pending p on p.id = j.id left join ${q}.lease l on l.id = j.id left join lateral ${q}.done_v1(j.id) d on true
    join ${q}.queue c on c.num = coalesce(p.queue, l.queue, d.queue) where j.id = $1`,
}

export const liveSessions: Statement<
  [],
  { id: string; server: string; ttl: number; info: string; seen_at: string; opened_at: string; held: number }
> = {
  name: 'live-sessions',
  text: (q) => /* sql */ `
    select s.id, s.server, s.ttl, s.info, s.seen_at, s.opened_at, coalesce(h.held, 0)::int as held from ${q}.session s
    left join (select session, count(*) as held from ${q}.lease group by session) h on h.session = s.num where s.state < 2 order by s.num`,
}

export interface QueueRow {
  readonly name: string
  readonly paused: Paused | null
  readonly max_active: number | null
  readonly rate_max: number | null
  readonly rate_per: number | null
}

export const allQueues: Statement<[], QueueRow> = {
  name: 'all-queues',
  text: (q) => /* sql */ `select name, paused, max_active, rate_max, rate_per from ${q}.queue order by name`,
}

const startingWith = (table: string): string => /* sql */ `
  select name from ${table} where name >= $1 and starts_with(name, $1) order by name limit $2`

export const namesStartingWith: Readonly<
  Record<'job' | 'queue' | 'tag', Statement<[prefix: string, limit: number], { name: string }>>
> = {
  job: { name: 'job-names', text: (q) => startingWith(`${q}.name`) },
  queue: { name: 'queue-names', text: (q) => startingWith(`${q}.queue`) },
  tag: { name: 'tag-names', text: (q) => startingWith(`${q}.tag`) },
}

export const recurringPage: Statement<
  [after: string | null, ids: readonly string[] | null, owner: string | null, limit: number],
  RecurringRow
> = {
  name: 'recurring-page',
  text: (q) => /* sql */ `
    select * from ${q}.recurring where not gone and ($1::text is null or id > $1) and ($2::text[] is null or id = any ($2))
      and ($3::text is null or owner = $3) order by id limit $4`,
}

/** How many transactions of the server have ended: grows with every change, whoever made it. */
export const endedTransactions: Statement<[], { changes: string }> = {
  name: 'ended-transactions',
  text: () => /* sql */ `
    select pg_snapshot_xmax(s)::text::bigint - (select count(*) from pg_snapshot_xip(s)) as changes from pg_current_snapshot() s`,
}
