import type { FinalPhase, JobId, Ms } from '@q/core/storage'
import { phaseNumber } from './codec.ts'
import { statement } from './statement.ts'
import type { Store } from './store.ts'

const hasSchedule = statement<[string], { one: 1 }>(
  (t) => `select 1 as one from ${t.schedule} where id = ? and record is not null`,
)
const addRunRow = statement<[string, string, string, number]>(
  (t) => `insert into ${t.run} (schedule, n, job, at)
    values (?, (select coalesce(max(n), 0) + 1 from ${t.run} where schedule = ?), ?, ?)`,
)
const forgetRuns = statement<[string, string, number]>(
  (t) => `delete from ${t.run} where schedule = ? and n <= (select max(n) from ${t.run} where schedule = ?) - ?`,
)
const endRun = statement<[number, number | null, string, string]>(
  (t) => `update ${t.run} set phase = ?, ran = ? where schedule = ? and job = ?`,
)

const rememberedRuns = 50

/** A job that came from a schedule is one of its runs. */
export function addRun(store: Store, schedule: string, job: JobId, at: Ms): void {
  if (store.db.get(hasSchedule, schedule) === undefined) return
  store.db.run(addRunRow, schedule, schedule, job, at)
  store.db.run(forgetRuns, schedule, schedule, rememberedRuns)
}

/** The job is removed; its run stays as it ended. */
export function rememberEnd(store: Store, schedule: string, job: JobId, end: FinalPhase, ranMs: Ms | undefined): void {
  store.db.run(endRun, phaseNumber(end), ranMs ?? null, schedule, job)
}
