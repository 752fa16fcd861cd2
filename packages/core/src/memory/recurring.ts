import { isDeepStrictEqual } from 'node:util'
import { isFinalPhase } from '../storage/job.ts'
import type { RecurringPut, RecurringRecord, RecurringRoom, RecurringRun, RecurringTick } from '../storage/recurring.ts'
import type { CreateOutcome } from '../storage/jobs.ts'
import { frozenCopy } from './copy.ts'
import { createJobs } from './create-jobs.ts'
import { phaseOf } from './job.ts'
import type { PastRun } from './schedules.ts'
import { type Store, begin } from './store.ts'

export function createRecurringRoom(store: Store): RecurringRoom {
  return {
    async put(list) {
      begin(store)
      return list.map((record) => put(store, record))
    },
    async remove(list) {
      begin(store)
      return list.map(({ id, expect }) => {
        const present = store.schedules.get(id)
        if (present === undefined || (expect !== undefined && expect !== present.version)) return false
        store.schedules.delete(id)
        store.changes++
        store.watchers.schedules()
        return true
      })
    },
    async due(limit) {
      begin(store)
      const due: RecurringRecord[] = []
      for (const { record, at } of store.schedules.due()) {
        if (at > store.now || due.length >= limit) return { now: store.now, due, nextDue: at }
        due.push(frozenCopy(record))
      }
      return { now: store.now, due }
    },
    async tick(list) {
      begin(store)
      return list.map((item) => tick(store, item))
    },
    async runs(id, limit) {
      begin(store)
      return store.schedules
        .runs(id)
        .toReversed()
        .slice(0, limit)
        .map((run) => runView(store, run))
    },
  }
}

function put(store: Store, { expect, ...input }: RecurringPut): { ok: boolean; version: number } {
  const present = store.schedules.get(input.id)
  const version = present?.version ?? 0
  if (expect !== undefined && expect !== version) return { ok: false, version }
  if ((input.revision ?? Infinity) < (present?.revision ?? -Infinity)) return { ok: false, version }
  const { lastAt = present?.lastAt, lastJob = present?.lastJob } = input
  const record = frozenCopy({ ...input, lastAt, lastJob })
  if (present !== undefined && isDeepStrictEqual(definitionOf(record), definitionOf(present))) {
    return { ok: true, version }
  }
  store.changes++
  store.watchers.schedules()
  return { ok: true, version: store.schedules.set(record) }
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
  const present = store.schedules.get(id)
  if (present === undefined || !store.rules.mayTick(present.version, expect)) return { ok: false, created: [] }
  const running = skipWhile === undefined ? undefined : store.jobs.get(skipWhile)
  const skipped = running !== undefined && !isFinalPhase(phaseOf(running))
  const last = skipped ? undefined : jobs.at(-1)
  store.changes++
  store.watchers.schedules()
  store.schedules.set({
    ...present,
    nextAt,
    lastAt: last?.recurring?.at ?? present.lastAt,
    lastJob: last?.id ?? present.lastJob,
  })
  if (skipped) return { ok: true, skipped, created: [] }
  return { ok: true, created: createJobs(store, jobs) }
}

function runView(store: Store, { job: id, at, end }: PastRun): RecurringRun {
  const job = store.jobs.get(id)
  const phase = job === undefined ? (end?.phase ?? 'deleted') : phaseOf(job)
  return { job: id, at, phase, ranMs: job === undefined ? end?.ranMs : job.ranMs }
}
