import { listOf, mapOf, numberOf, textOf } from './codec/answer.ts'
import { phaseOf } from './codec/layout.ts'
import { readRecord } from './codec/record.ts'
import { kinded, unkinded } from './codec/state.ts'
import { decodeJob, encodeJob } from './job-text.ts'
import { packEach, prepareJobs } from './jobs.ts'
import { unpack } from './msgpack.ts'
import { dueRecurring, putRecurring, recurringRuns, removeRecurring, tickRecurring } from './scripts/recurring.ts'
import type { Paused, RecurringPut, RecurringRecord, RecurringRoom, RecurringRun } from '@q/core/storage'
import type { Database } from './database.ts'
import type { PackedRecord } from './scripts/recurring.ts'

export function createRecurring(db: Database): RecurringRoom {
  return {
    async put(list) {
      if (list.length === 0) return []
      const answer = unpack(
        (await db.run(putRecurring, { list: list.map(packRecord), publish: db.publishCommand() })) as Buffer,
      )
      return listOf(answer).map((item) => {
        const [ok, version] = listOf(item)
        return { ok: ok === true, version: numberOf(version)! }
      })
    },

    async remove(list) {
      if (list.length === 0) return []
      const answer = await db.run(removeRecurring, {
        list: list.map(({ id, expect }) => ({ id, expect })),
        publish: db.publishCommand(),
      })
      return (answer as number[]).map((removed) => removed === 1)
    },

    async due(limit) {
      const [head, ...records] = (await db.run(dueRecurring, { limit })) as [Buffer, ...Buffer[]]
      const facts = mapOf(unpack(head))
      const nextDue = numberOf(facts.get('due'))
      return {
        now: numberOf(facts.get('now'))!,
        due: records.map(readRecurring),
        ...(nextDue === undefined ? {} : { nextDue }),
      }
    },

    async tick(list) {
      if (list.length === 0) return []
      const prepared = list.map((item) => prepareJobs(db, item.jobs, packEach))
      const answer = await db.run(tickRecurring, {
        list: list.map((item, index) => {
          const last = item.jobs.at(-1)
          return {
            id: item.id,
            expect: item.expect,
            nextAt: item.nextAt ?? undefined,
            jobs: prepared[index]!.packed,
            last: last && { id: last.id, at: last.recurring?.at },
            skipWhile: item.skipWhile,
          }
        }),
        publish: db.publishCommand(),
      })
      return listOf(unpack(answer as Buffer)).map((item, index) => {
        const [ok, skipped, created] = listOf(item)
        if (ok !== true) return { ok: false, created: [] }
        if (skipped === true) return { ok: true, skipped: true, created: [] }
        return { ok: true, created: prepared[index]!.outcomes(created!) }
      })
    },

    async runs(id, limit) {
      const answer = (await db.run(recurringRuns, { id, limit })) as Buffer[]
      const runs: RecurringRun[] = []
      for (let i = 0; i < answer.length; i += 4) {
        const [job, at, record, end] = answer.slice(i, i + 4) as [Buffer, Buffer, Buffer, Buffer]
        runs.push({ job: job.toString(), at: Number(at.toString()), ...endOf(job.toString(), record, end) })
      }
      return runs
    },
  }
}

function endOf(id: string, record: Buffer, end: Buffer): Pick<RecurringRun, 'phase' | 'ranMs'> {
  if (record.length > 0) {
    const job = readRecord(id, record)
    if (!job.isStub) return { phase: job.phase, ranMs: job.run?.ranMs }
  }
  if (end.length === 0) return { phase: 'deleted', ranMs: undefined }
  const [phase, ran] = listOf(unpack(end))
  const ranMs = numberOf(ran)
  return { phase: phaseOf(numberOf(phase)!), ranMs: ranMs === undefined || ranMs >= 0xffff_ffff ? undefined : ranMs }
}

function packRecord(record: RecurringPut): PackedRecord {
  const { id, error, owner, revision, paused } = record
  const spec = kinded(record.spec)
  const job = encodeJob(record.job)
  return {
    id,
    spec,
    job,
    nextAt: record.nextAt ?? undefined,
    lastAt: record.lastAt,
    lastJob: record.lastJob,
    error,
    paused: paused && JSON.stringify(paused),
    pausedUntil: paused?.until,
    owner,
    revision,
    expect: record.expect,
    definition: definitionOf(spec, job, [error, owner, revision, paused && sorted(paused)]),
  }
}

/** What people said about it, in one text. Its next instant is not part of it. */
function definitionOf(spec: Buffer, job: string, rest: readonly unknown[]): string {
  return JSON.stringify([spec.toString('base64'), job, rest.map((value) => value ?? null)])
}

function sorted(paused: Paused): unknown {
  return Object.entries(paused).sort(([a], [b]) => (a < b ? -1 : 1))
}

export function readRecurring(bytes: Buffer): RecurringRecord {
  const record = mapOf(unpack(bytes))
  const text = (field: string): string | undefined =>
    record.get(field) === undefined ? undefined : textOf(record.get(field))
  const paused = text('paused')
  return dropUndefined({
    id: textOf(record.get('id')),
    spec: unkinded(record.get('spec') as Buffer),
    job: decodeJob(textOf(record.get('job'))),
    nextAt: numberOf(record.get('nextAt')) ?? null,
    version: numberOf(record.get('version'))!,
    lastAt: numberOf(record.get('lastAt')),
    lastJob: text('lastJob'),
    error: text('error'),
    paused: paused === undefined ? undefined : (JSON.parse(paused) as Paused),
    owner: text('owner'),
    revision: numberOf(record.get('revision')),
  })
}

function dropUndefined<T extends object>(record: T): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T
}
