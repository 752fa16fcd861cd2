import { isDeepStrictEqual } from 'node:util'
import type {
  CreateOutcome,
  Ms,
  Paused,
  Payload,
  RecurringPut,
  RecurringRecord,
  RecurringRoom,
  RecurringTick,
} from '@q/core/storage'
import { type PackedJob, openJob, packJob, phaseOf, readPayload } from './codec.ts'
import { createJobs } from './create-jobs.ts'
import type { Engine } from './engine.ts'
import { isFinal } from './enter-state.ts'
import { type Statement, statement } from './statement.ts'
import type { Store } from './store.ts'
import { loadJob, phaseIn } from './stored-job.ts'

export interface ScheduleRow {
  readonly id: string
  readonly version: number
  readonly look_at: number | null
  readonly owner: string | null
  readonly record: string
  readonly spec: Payload
  readonly payload: Payload
}

const findSchedule = statement<[string], ScheduleRow>(
  (t) => `select * from ${t.schedule} where id = ? and record is not null`,
)
/** Also of one that was removed, so that what is put again is never taken for what was there. */
const lastVersion = statement<[string], { version: number }>((t) => `select version from ${t.schedule} where id = ?`)
const saveSchedule = statement<[string, number, number | null, string | null, string, Payload, Payload]>(
  (t) => `insert or replace into ${t.schedule} values (?, ?, ?, ?, ?, ?, ?)`,
)
const removeSchedule = statement<[string]>(
  (t) =>
    `update ${t.schedule} set look_at = null, owner = null, record = null, spec = null, payload = null where id = ?`,
)
const removeRuns = statement<[string]>((t) => `delete from ${t.run} where schedule = ?`)
const lookOrder = statement<[number], ScheduleRow>(
  (t) => `select * from ${t.schedule} where look_at is not null order by look_at, id limit ?`,
)
const readRuns = statement<[string, number], { job: string; at: number; phase: number | null; ran: number | null }>(
  (t) => `select job, at, phase, ran from ${t.run} where schedule = ? order by n desc limit ?`,
)

/** The empty id counts the changes of all. */
const countChange = statement<[]>(
  (t) => `insert into ${t.schedule} (id, version) values ('', 1) on conflict (id) do update set version = version + 1`,
)
export const scheduleChanges: Statement<[], { version: number }> = statement(
  (t) => `select version from ${t.schedule} where id = ''`,
)

export function createRecurringRoom(engine: Engine): RecurringRoom {
  return {
    put: (list) => engine.write((store) => list.map((record) => put(store, record))),
    remove: (list) =>
      engine.write((store) =>
        list.map(({ id, expect }) => {
          const present = store.db.get(findSchedule, id)
          if (present === undefined || (expect !== undefined && expect !== present.version)) return false
          store.db.run(removeSchedule, id)
          store.db.run(removeRuns, id)
          noteChange(store)
          return true
        }),
      ),
    async due(limit) {
      const found = engine.recall<Due>(dueKey)
      return found === undefined ? engine.write((store) => due(store, limit)) : { ...found.value, now: found.now }
    },
    tick: (list) => engine.write((store) => list.map((item) => tick(store, item))),
    runs: (id, limit) =>
      engine.write((store) =>
        store.db.all(readRuns, id, limit).map(({ job: jobId, at, phase, ran }) => {
          const job = loadJob(store, jobId)
          if (job !== undefined) return { job: jobId, at, phase: phaseIn(job), ranMs: job.ranMs }
          return { job: jobId, at, phase: phase === null ? 'deleted' : phaseOf(phase), ranMs: ran ?? undefined }
        }),
      ),
  }
}

interface Due {
  readonly now: Ms
  readonly due: readonly RecurringRecord[]
  readonly nextDue?: Ms
}

const dueKey = 'due schedules'

function due(store: Store, limit: number): Due {
  const found = findDue(store, limit)
  if (found.due.length === 0) store.lull.keep(dueKey, found, store, found.nextDue)
  return found
}

function findDue(store: Store, limit: number): Due {
  const found: RecurringRecord[] = []
  for (const row of store.db.all(lookOrder, limit + 1)) {
    if (row.look_at! > store.now || found.length >= limit) return { now: store.now, due: found, nextDue: row.look_at! }
    found.push(openSchedule(row))
  }
  return { now: store.now, due: found }
}

function put(store: Store, { expect, ...input }: RecurringPut): { ok: boolean; version: number } {
  const row = store.db.get(findSchedule, input.id)
  const present = row && openSchedule(row)
  const version = present?.version ?? 0
  if (expect !== undefined && expect !== version) return { ok: false, version }
  if ((input.revision ?? Infinity) < (present?.revision ?? -Infinity)) return { ok: false, version }
  const { lastAt = present?.lastAt, lastJob = present?.lastJob } = input
  const record = { ...input, lastAt, lastJob }
  if (present !== undefined && isDeepStrictEqual(definitionOf(asStored(record)), definitionOf(present))) {
    return { ok: true, version }
  }
  return { ok: true, version: save(store, record) }
}

/** What people said about it, without what ticking made of it: the same definition again changes nothing, its next instant included. */
function definitionOf(record: Omit<RecurringRecord, 'version'>): object {
  const { id, spec, job, error, paused, owner, revision } = record
  return { id, spec, job, error, paused, owner, revision }
}

function tick(
  store: Store,
  { id, expect, nextAt, jobs, skipWhile }: RecurringTick,
): { ok: boolean; skipped?: boolean; created: CreateOutcome[] } {
  const row = store.db.get(findSchedule, id)
  if (row === undefined || row.version !== expect) return { ok: false, created: [] }
  const present = openSchedule(row)
  const running = skipWhile === undefined ? undefined : loadJob(store, skipWhile)
  const skipped = running !== undefined && !isFinal(running)
  const last = skipped ? undefined : jobs.at(-1)
  save(store, {
    ...present,
    nextAt,
    lastAt: last?.recurring?.at ?? present.lastAt,
    lastJob: last?.id ?? present.lastJob,
  })
  if (skipped) return { ok: true, skipped, created: [] }
  return { ok: true, created: createJobs(store, jobs) }
}

/** Stores it under the next version, which is answered. */
function save(store: Store, record: Omit<RecurringRecord, 'version'>): number {
  const { id, spec, job, owner } = record
  const version = (store.db.get(lastVersion, id)?.version ?? 0) + 1
  const lookAt = lookAtOf(record.nextAt, record.paused)
  noteChange(store)
  store.db.run(saveSchedule, id, version, lookAt, owner ?? null, encode(record), spec, job.payload)
  return version
}

function noteChange(store: Store): void {
  store.db.run(countChange)
  store.wakes.schedules()
}

/** A paused schedule is due when its pause is over, if that ends by itself. */
function lookAtOf(nextAt: Ms | null, paused: Paused | undefined): Ms | null {
  if (nextAt === null || paused === undefined) return nextAt
  return paused.until === undefined ? null : Math.max(nextAt, paused.until)
}

type Packed = Omit<RecurringRecord, 'version' | 'spec' | 'job'> & { readonly job: PackedJob }

function encode({ spec: _, job, ...record }: Omit<RecurringRecord, 'version'>): string {
  return JSON.stringify({ ...record, version: undefined, job: packJob(job) })
}

export function openSchedule({
  record,
  version,
  spec,
  payload,
}: Pick<ScheduleRow, 'record' | 'version' | 'spec' | 'payload'>): RecurringRecord {
  const { job, ...packed } = JSON.parse(record) as Packed
  return { ...packed, spec: readPayload(spec), job: openJob(job, payload), version }
}

/** As it would be read again: undefined fields gone, and nothing shared with the caller. */
function asStored(record: Omit<RecurringRecord, 'version'>): RecurringRecord {
  return openSchedule({
    record: encode(record),
    version: 0,
    spec: withoutSharing(record.spec),
    payload: withoutSharing(record.job.payload),
  })
}

function withoutSharing(payload: Payload): Payload {
  return typeof payload === 'string' ? payload : new Uint8Array(payload)
}
