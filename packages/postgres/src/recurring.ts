import type { NewJob, RecurringPut, RecurringRecord, RecurringRoom } from '@q/core/storage'
import { encodeCreateList, learnNames } from './create-list.ts'
import { idToUuid, uuidToId } from './id.ts'
import { packPayload, unpackPayload } from './payload.ts'
import { phaseOf } from './phases.ts'
import type { Room } from './room.ts'
import {
  type RecurringRow,
  dueRecurring,
  putRecurring,
  recurringRuns,
  removeRecurring,
  tickRecurring,
} from './statements/recurring.ts'
import { schedulesTopic } from './wakeups.ts'

export function createRecurringRoom({ connections, names, pokes, enter }: Room): RecurringRoom {
  return {
    put: (list) =>
      enter(async () => {
        const [row] = await connections.write(putRecurring, [JSON.stringify(list.map(encodePut))])
        if (row!.reply.some(({ ok }) => ok)) pokes.tell([schedulesTopic])
        return row!.reply
      }),

    remove: (list) =>
      enter(async () => {
        const [row] = await connections.write(removeRecurring, [JSON.stringify(list)])
        if (row!.reply.includes(true)) pokes.tell([schedulesTopic])
        return row!.reply
      }),

    due: (limit) =>
      enter(async () => {
        const rows = await connections.read(dueRecurring, [limit + 1])
        const now = Number(rows[0]?.now)
        const due = rows.filter(({ record }) => record !== null && Number(record.look_at) <= now).slice(0, limit)
        const next = rows.filter(({ record }) => record !== null)[due.length]?.record
        const reply = { now, due: due.map(({ record }) => decodeRecurring(record!)) }
        return next ? { ...reply, nextDue: Number(next.look_at) } : reply
      }),

    tick: (list) =>
      enter(async () => {
        await learnNames(
          names,
          list.flatMap(({ jobs }) => jobs),
        )
        const lists = list.map(({ jobs }) => encodeCreateList(jobs, names))
        const items = list.map(({ id, expect, nextAt, jobs, skipWhile }, k) => {
          const last = jobs.at(-1)
          return {
            id,
            expect,
            nextAt,
            skip: skipWhile === undefined ? undefined : idToUuid(skipWhile),
            lastAt: last?.recurring?.at,
            lastJob: last === undefined ? undefined : idToUuid(last.id),
            cp: lists[k]!.plain.length === 0 ? undefined : lists[k]!.plain,
            cs: lists[k]!.slow.length === 0 ? undefined : lists[k]!.slow,
          }
        })
        const [row] = await connections.write(tickRecurring, [JSON.stringify(items)])
        pokes.touch(row!.topics)
        if (row!.reply.some(({ ok }) => ok)) pokes.tell([schedulesTopic])
        return row!.reply.map(({ ok, skipped, plain, slow }, k) => {
          if (!ok) return { ok: false, created: [] }
          if (skipped === true) return { ok: true, skipped: true, created: [] }
          const created = lists[k]!.outcomes({ plain: plain ?? null, slow: slow ?? null })
          pokes.created(list[k]!.jobs, created)
          return { ok: true, created }
        })
      }),

    runs: (id, limit) =>
      enter(async () => {
        const rows = await connections.read(recurringRuns, [id, limit])
        return rows.map(({ job, at, phase, ran }) => ({
          job: uuidToId(job),
          at: Number(at),
          phase: phaseOf(phase),
          ranMs: ran ?? undefined,
        }))
      }),
  }
}

/** A NewJob as text that PostgreSQL can compare: its payloads packed. */
interface StoredNewJob extends Omit<NewJob, 'payload' | 'state' | 'then'> {
  readonly payload: string
  readonly state: StoredInput
  readonly then?: StoredInput | undefined
}
type StoredInput = Omit<NewJob['state'], 'data'> & { readonly data?: string | undefined }

function encodePut({ job, spec, lastJob, ...put }: RecurringPut): object {
  return {
    ...put,
    spec: packPayload(spec),
    job: packJob(job),
    lastJob: lastJob === undefined ? undefined : idToUuid(lastJob),
  }
}

function packJob(job: NewJob): StoredNewJob {
  return {
    ...job,
    payload: packPayload(job.payload),
    state: packState(job.state),
    then: job.then && packState(job.then),
  }
}

function packState(state: NewJob['state']): StoredInput {
  return { ...state, data: state.data === undefined ? undefined : packPayload(state.data) }
}

function unpackState({ data, ...state }: StoredInput): NewJob['state'] {
  return data === undefined ? state : { ...state, data: unpackPayload(data) }
}

export function decodeRecurring(row: RecurringRow): RecurringRecord {
  const { payload, state, then, ...job } = row.job as unknown as StoredNewJob
  return {
    id: row.id,
    spec: unpackPayload(row.spec),
    job: {
      ...job,
      payload: unpackPayload(payload),
      state: unpackState(state),
      ...(then === undefined ? {} : { then: unpackState(then) }),
    },
    nextAt: row.next_at === null ? null : Number(row.next_at),
    lastAt: row.last_at === null ? undefined : Number(row.last_at),
    lastJob: row.last_job === null ? undefined : uuidToId(row.last_job),
    version: Number(row.version),
    error: row.error ?? undefined,
    paused: row.paused ?? undefined,
    owner: row.owner ?? undefined,
    revision: row.revision === null ? undefined : Number(row.revision),
  }
}
