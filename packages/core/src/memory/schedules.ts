import type { JobId, Ms, Phase } from '../storage/job.ts'
import type { Paused, RecurringRecord } from '../storage/recurring.ts'
import { type StoredJob } from './job.ts'
import { OrderedList } from './ordered-list.ts'

/** A run beyond the retention of its job. */
export interface PastRun {
  readonly job: JobId
  readonly at: Ms
  /** Of a job that is gone. */
  end?: { readonly phase: Phase; readonly ranMs: Ms | undefined }
}

interface LookKey {
  readonly id: string
  readonly lookAt: Ms
}

interface Entry extends LookKey {
  readonly record: RecurringRecord
}

const rememberedRuns = 50

/** Recurring records, and when each has to be looked at. */
export class Schedules {
  readonly #entries = new Map<string, Entry>()
  /** Those that will be due by time alone. */
  readonly #due = new OrderedList<LookKey, Entry>(
    (a, b) => a.lookAt - b.lookAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0),
  )
  /** The last version of every id that ever was, so that what is put again is never taken for what was there. */
  readonly #versions = new Map<string, number>()
  readonly #runs = new Map<string, PastRun[]>()

  get(id: string): RecurringRecord | undefined {
    return this.#entries.get(id)?.record
  }

  /** By id. */
  all(): RecurringRecord[] {
    return [...this.#entries.values()].map(({ record }) => record).sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** Stores it under the next version, which is answered. */
  set(record: Omit<RecurringRecord, 'version'>): number {
    const version = (this.#versions.get(record.id) ?? 0) + 1
    this.#versions.set(record.id, version)
    this.#dropEntry(record.id)
    const entry: Entry = { id: record.id, lookAt: lookAt(record.nextAt, record.paused), record: { ...record, version } }
    this.#entries.set(record.id, entry)
    if (entry.lookAt !== Infinity) this.#due.add(entry)
    return version
  }

  delete(id: string): void {
    this.#dropEntry(id)
    this.#entries.delete(id)
    this.#runs.delete(id)
  }

  /** In the order in which they are due. */
  *due(): Generator<{ readonly record: RecurringRecord; readonly at: Ms }, undefined> {
    for (const { record, lookAt: at } of this.#due.after()) yield { record, at }
    return undefined
  }

  runs(id: string): readonly PastRun[] {
    return this.#runs.get(id) ?? []
  }

  /** A job that came from a schedule is one of its runs. */
  remember(job: StoredJob): void {
    if (job.recurring === undefined || !this.#entries.has(job.recurring.id)) return
    const { id, at } = job.recurring
    let runs = this.#runs.get(id)
    if (runs === undefined) this.#runs.set(id, (runs = []))
    runs.push({ job: job.id, at })
    if (runs.length > rememberedRuns) runs.shift()
  }

  /** The job is removed; its run stays as it ended. */
  forget(job: StoredJob, phase: Phase): void {
    if (job.recurring === undefined) return
    const run = this.#runs.get(job.recurring.id)?.find((candidate) => candidate.job === job.id)
    if (run !== undefined) run.end = { phase, ranMs: job.ranMs }
  }

  #dropEntry(id: string): void {
    const entry = this.#entries.get(id)
    if (entry !== undefined && entry.lookAt !== Infinity) this.#due.delete(entry)
  }
}

/** A paused schedule is due when its pause is over, if that ends by itself. */
function lookAt(nextAt: Ms | null, paused: Paused | undefined): Ms {
  if (nextAt === null) return Infinity
  return paused === undefined ? nextAt : Math.max(nextAt, paused.until ?? Infinity)
}
