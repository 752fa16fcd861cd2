import type { Payload } from '@q/core/storage'
import { type Statement, statement } from '../statement.ts'
import type { Tables } from '../tables.ts'

/** A job as people see it, out of whichever rows it stands in. */
export interface ViewRow {
  readonly id: string
  readonly queue: string
  readonly name: string
  readonly version: number
  readonly priority: number
  readonly seq: number
  readonly born: number
  readonly created: number
  readonly cold: string | null
  readonly preview: string | null
  readonly phase: number
  readonly state: string
  readonly n: number
  readonly at: number
  readonly by: string
  readonly command: string | null
  readonly attempt: number
  readonly crashes: number
  readonly reason: string | null
  readonly error: string | null
  readonly error_preview: string | null
  readonly due_at: number | null
  readonly remove_at: number | null
  readonly waited: number | null
  readonly ran: number | null
  readonly server: string | null
  readonly session: string | null
  readonly last_error: string | null
  readonly rest: string | null
}

const ofJob = `j.id, j.version, j.created, j.seq as born, j.cold, n.text as name,
  coalesce(j.preview, case when typeof(j.payload) = 'text' then substr(j.payload, 1, 256) end) as preview`
const nothingRare = `null as command, null as due_at, null as last_error, null as rest, 0 as crashes`

const ofReady = `select ${ofJob}, q.name as queue, r.priority, j.seq, 2 as phase, w.text as state,
  1 as n, r.at, coalesce(j.by, '') as by, 0 as attempt, null as reason, null as error, null as error_preview,
  null as remove_at, null as waited, null as ran, null as server, null as session, ${nothingRare}`

const ready = (t: Tables): string => `${ofReady} from ${t.ready} r join ${t.job} j on j.seq = r.seq
  join ${t.queue} q on q.n = r.queue join ${t.word} n on n.n = j.name join ${t.word} w on w.n = j.state
  where r.rare = 0 and r.last = r.born`

/** What a whole span shares is looked at before its jobs. */
const spans = (t: Tables): string => `${ofReady} from ${t.ready} r cross join ${t.queue} q on q.n = r.queue
  cross join ${t.word} n on n.n = r.name cross join ${t.job} j on j.seq between r.born and r.last
  cross join ${t.word} w on w.n = j.state where r.rare = 0 and r.last > r.born`

const active = (t: Tables): string => `select ${ofJob}, q.name as queue, r.priority, r.seq, 3 as phase, w.text as state,
  2 as n, r.at, s.server as by, 1 as attempt, null as reason, null as error, null as error_preview,
  null as remove_at, r.at - r.ready_at as waited, null as ran, s.server as server, s.id as session, ${nothingRare}
  from ${t.lease} r join ${t.job} j on j.id = r.id join ${t.queue} q on q.n = r.queue
  join ${t.word} n on n.n = j.name join ${t.word} w on w.n = r.state join ${t.session} s on s.n = r.session
  where r.rare = 0`

const done = (t: Tables): string => `select ${ofJob}, q.name as queue, j.priority, j.seq, r.phase, w.text as state,
  3 as n, r.at, v.text as by, 1 as attempt, r.reason, r.error, r.error_preview,
  r.remove_at, r.claimed - r.ready_at as waited, r.ran, null as server, null as session, ${nothingRare}
  from ${t.done} r join ${t.job} j on j.id = r.id join ${t.queue} q on q.n = r.queue
  join ${t.word} n on n.n = j.name join ${t.word} w on w.n = r.state join ${t.word} v on v.n = r.server
  where 1 = 1`

const rare = (t: Tables): string => `select ${ofJob}, q.name as queue, r.priority, r.seq, r.phase, r.state,
  r.n, r.at, r.by, r.attempt, r.reason, r.error, r.error_preview,
  r.remove_at, r.waited, r.ran, s.server as server, s.id as session,
  r.command, r.due_at, r.last_error, r.rest, r.crashes
  from ${t.more} r join ${t.job} j on j.id = r.id join ${t.queue} q on q.n = r.queue
  join ${t.word} n on n.n = j.name left join ${t.session} s on s.n = r.session where 1 = 1`

/** One job; each kind is looked for where it would stand. */
export const viewRare: Statement<[string], ViewRow> = statement((t) => `${rare(t)} and r.id = ?`)
export const viewDone: Statement<[string], ViewRow> = statement((t) => `${done(t)} and r.id = ?`)
export const viewActive: Statement<[string], ViewRow> = statement(
  (t) => `${active(t)} and r.id = ? and r.session in (select n from ${t.session})`,
)
export const viewReady: Statement<[string], ViewRow> = statement(
  (t) => `${ofReady} from ${t.job} j cross join ${t.ready} r on (r.queue, r.priority, r.seq) = (
    select queue, priority, seq from ${t.ready} x where x.queue = j.queue and x.priority = j.priority and x.seq <= j.seq
    order by x.seq desc limit 1)
  join ${t.queue} q on q.n = r.queue join ${t.word} n on n.n = j.name join ${t.word} w on w.n = j.state
  where j.seq = (select seq from ${t.job} where id = ?) and r.rare = 0 and r.last >= j.seq`,
)

/** Part of a list by (entered at, id), going on from a place. */
export type Stream = Statement<[number, string, number], ViewRow>
export type PhaseStream = Statement<[number, number, string, number], ViewRow>
export type ErrorStream = Statement<[string, number, string, number], ViewRow>

interface Streams {
  readonly ready: Stream
  readonly span: Stream
  readonly active: Stream
  readonly done: PhaseStream
  readonly rare: PhaseStream
  readonly doneByError: ErrorStream
  readonly rareByError: ErrorStream
}

/** The order goes on in one direction, along an index, however long the list is. */
function streams(beyond: '<' | '>', direction: 'asc' | 'desc'): Streams {
  const onwards = `and (r.at, r.id) ${beyond} (?, ?) order by r.at ${direction}, r.id ${direction} limit ?`
  return {
    ready: statement((t) => `${ready(t)} ${onwards}`),
    // Spans of one instant do not overlap: they come one after the other, and so do the jobs of each.
    span: statement(
      (t) => `${spans(t)} and (r.at, j.id) ${beyond} (?, ?)
        order by r.at ${direction}, r.id ${direction}, j.seq ${direction} limit ?`,
    ),
    active: statement((t) => `${active(t)} ${onwards}`),
    done: statement((t) => `${done(t)} and r.phase = ? ${onwards}`),
    rare: statement((t) => `${rare(t)} and r.phase = ? ${onwards}`),
    doneByError: statement((t) => `${done(t)} and r.error = ? ${onwards}`),
    rareByError: statement((t) => `${rare(t)} and r.last_error = ? ${onwards}`),
  }
}

export const newest: Streams = streams('<', 'desc')
export const oldest: Streams = streams('>', 'asc')

/** One of these lists for queries that narrow it: where it comes from, and which way it goes. */
export interface EntrySource {
  readonly rows: string
  /** Aliased r; with the jobs of its spans, aliased j. */
  readonly from: string
  /** The id of a job in there. */
  readonly id: string
  /** The part of the index that is walked. */
  readonly where: string
  /** What the name of the present state is called in there. */
  readonly state: string
  readonly onwards: '<' | '>'
  readonly backwards: '<' | '>'
  readonly order: string
}

/** Which rows hold jobs of a phase: of those that are ready, single ones and spans. */
export type EntryKind = 'ready' | 'span' | 'active' | 'done' | 'rare'

/** `phase` is a number of ours, never a text of anybody else's. */
export function entrySource(t: Tables, kind: EntryKind, phase: number, newestFirst: boolean): EntrySource {
  const rows = { ready, span: spans, active, done, rare }[kind](t)
  const from = {
    ready: `${t.ready} r`,
    span: `${t.ready} r cross join ${t.job} j on j.seq between r.born and r.last`,
    active: `${t.lease} r`,
    done: `${t.done} r`,
    rare: `${t.more} r`,
  }[kind]
  const ofPhase = `r.phase = ${Math.trunc(phase)}`
  const where = {
    ready: 'r.rare = 0 and r.last = r.born',
    span: 'r.rare = 0 and r.last > r.born',
    active: 'r.rare = 0',
    done: ofPhase,
    rare: ofPhase,
  }[kind]
  const id = kind === 'span' ? 'j.id' : 'r.id'
  const state = kind === 'rare' ? 'r.state' : 'w.text'
  const keys = kind === 'span' ? ['r.at', 'r.id', 'j.seq'] : ['r.at', 'r.id']
  return newestFirst
    ? { rows, from, id, where, state, onwards: '<', backwards: '>', order: keys.map((key) => `${key} desc`).join(', ') }
    : { rows, from, id, where, state, onwards: '>', backwards: '<', order: keys.join(', ') }
}

/** The ready jobs of a queue in the order in which they are claimed, along rows from a place on; those asleep at a gate beside them. */
export const claimOrder: Statement<
  [number, number, number, number, number, number],
  { id: string; priority: number; seq: number }
> = statement(
  (t) =>
    `select j.id, r.priority, r.seq + j.seq - r.born as seq
      from ${t.ready} r cross join ${t.job} j on j.seq between r.born and r.last
      where r.queue = ? and (r.priority, r.seq) > (?, ?) and (+r.priority, r.seq + j.seq - r.born) > (?, ?)
      order by r.priority, r.seq, j.seq limit ?`,
)
export const sleepersOf: Statement<[number, number, number, number], { id: string; priority: number; seq: number }> =
  statement(
    (t) => `select s.id, s.priority, s.seq from ${t.line} l join ${t.sleeper} s on s.gate = l.gate and s.queue = l.queue
    where l.queue = ? and (s.priority, s.seq) > (?, ?) order by s.priority, s.seq limit ?`,
  )
export const dueOrder: Statement<[number, number, number, number], { id: string; at: number; born: number }> =
  statement(
    (t) => `select id, at, born from ${t.due} where queue = ? and (at, born) > (?, ?) order by at, born limit ?`,
  )

export const heldIds: Statement<[string], { id: string }> = statement(
  (t) => `select l.id from ${t.session} s join ${t.lease} l on l.session = s.n where s.id = ?`,
)
export const childIds: Statement<[string], { id: string }> = statement(
  (t) => `select distinct child as id from ${t.edge} where parent = ?`,
)
export const taggedIds: Statement<[string, number], { id: string }> = statement(
  (t) => `select id from ${t.tag} where tag = ? limit ?`,
)

export const payloadOf: Statement<[string], { payload: Payload }> = statement(
  (t) => `select payload from ${t.job} where id = ?`,
)
export const progressOf: Statement<[string], { progress: Payload | null }> = statement(
  (t) => `select progress from ${t.more} where id = ?`,
)
export const dataOfDone: Statement<[string], { data: Payload | null }> = statement(
  (t) => `select data from ${t.done} where id = ?`,
)
export const dataOfState: Statement<[string, number], { data: Payload | null }> = statement(
  (t) => `select data from ${t.history} where id = ? and n = ?`,
)
export const countChildren: Statement<[string], { n: number }> = statement(
  (t) => `select count(distinct child) as n from ${t.edge} where parent = ?`,
)
export interface HistoryRow {
  readonly n: number
  readonly state: string
  readonly phase: number
  readonly at: number
  readonly attempt: number
  readonly by: string
  readonly command: string | null
  readonly reason: string | null
  readonly error: string | null
  readonly error_preview: string | null
  readonly data: Payload | null
}
export const rareHistory: Statement<[string, number], HistoryRow> = statement(
  (t) => `select * from (select * from ${t.history} where id = ? and n > ? order by n desc limit 200) order by n`,
)
/** What a plain job went through, out of its rows. */
export const plainStates: Statement<
  [string],
  { state: string; by: string; at: number; claim_state: string | null; claimed: number | null; server: string | null }
> = statement(
  (
    t,
  ) => `select w.text as state, coalesce(j.by, '') as by, j.created as at, c.text as claim_state, d.claimed, v.text as server
    from ${t.job} j join ${t.word} w on w.n = j.state left join ${t.done} d on d.id = j.id
    left join ${t.word} c on c.n = d.claim_state left join ${t.word} v on v.n = d.server where j.id = ?`,
)
