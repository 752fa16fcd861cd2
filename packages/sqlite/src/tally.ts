import type { Ms } from '@q/core/storage'
import { histogramIndex } from '@q/core/storage'
import type { Connection } from './connection.ts'
import { statement } from './statement.ts'

/** Sparse: from the index of a duration to how often it was met. */
export type Histogram = Record<string, number>

export interface BucketRow {
  readonly step: number
  readonly at: Ms
  readonly name: number
  readonly queue: number
  created: number
  ok: number
  failed: number
  retried: number
  readonly run: Histogram
  readonly wait: Histogram
}

export type StoredBucket = Omit<BucketRow, 'run' | 'wait'> & { readonly run: string; readonly wait: string }

const readBucket = statement<[number, number, number, number], StoredBucket>(
  (t) => `select * from ${t.bucket} where step = ? and at = ? and name = ? and queue = ?`,
)
const writeBucket = statement<[number, number, number, number, number, number, number, number, string, string]>(
  (t) => `insert or replace into ${t.bucket} values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
)
const oldBuckets = statement<[number, number, number], StoredBucket>(
  (t) => `select * from ${t.bucket} where step = ? and at < ? order by at limit ?`,
)
const dropBucket = statement<[number, number, number, number]>(
  (t) => `delete from ${t.bucket} where step = ? and at = ? and name = ? and queue = ?`,
)

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
export const stepSizes: readonly Ms[] = [minuteMs, hourMs, dayMs]
/** Minutes stay a day, hours 30 days, days a year. */
const keptMs: readonly Ms[] = [dayMs + hourMs, 30 * dayMs, 365 * dayMs]

/** What happened, counted in the step in which it happened: a row for each minute, name and queue, later for each hour, then day. */
export class Tally {
  readonly #db: Connection
  readonly #rows = new Map<number, BucketRow>()
  readonly #changed = new Set<BucketRow>()

  constructor(db: Connection) {
    this.#db = db
  }

  /** What was read before may be outdated, or was rolled back. */
  refresh(): void {
    this.#rows.clear()
    this.#changed.clear()
  }

  /** The row to count in. */
  row(name: number, queue: number, now: Ms): BucketRow {
    const at = now - (now % minuteMs)
    const key = name * 2 ** 26 + queue
    let row = this.#rows.get(key)
    if (row?.at !== at) this.#rows.set(key, (row = this.#read(0, at, name, queue)))
    this.#changed.add(row)
    return row
  }

  save(): void {
    for (const row of this.#changed) this.#write(row)
    this.#changed.clear()
    if (this.#rows.size > 1000) this.#rows.clear()
  }

  /** Moves what is old into coarser steps, at most so many rows at once. */
  rollUp(now: Ms, limit: number): void {
    for (const [step, kept] of keptMs.entries()) {
      for (const row of this.#db.all(oldBuckets, step, now - kept, limit)) {
        const size = stepSizes[step + 1]
        if (size !== undefined) {
          const sum = this.#read(step + 1, row.at - (row.at % size), row.name, row.queue)
          addBucket(sum, openBucket(row))
          this.#write(sum)
        }
        this.#db.run(dropBucket, step, row.at, row.name, row.queue)
      }
    }
  }

  #read(step: number, at: Ms, name: number, queue: number): BucketRow {
    const row = this.#db.get(readBucket, step, at, name, queue)
    if (row !== undefined) return openBucket(row)
    return { step, at, name, queue, created: 0, ok: 0, failed: 0, retried: 0, run: {}, wait: {} }
  }

  #write({ step, at, name, queue, created, ok, failed, retried, run, wait }: BucketRow): void {
    const histograms = [JSON.stringify(run), JSON.stringify(wait)] as const
    this.#db.run(writeBucket, step, at, name, queue, created, ok, failed, retried, ...histograms)
  }
}

export function countDuration(histogram: Histogram, ms: Ms): void {
  const index = histogramIndex(ms)
  histogram[index] = (histogram[index] ?? 0) + 1
}

export function openBucket(row: StoredBucket): BucketRow {
  return { ...row, run: JSON.parse(row.run) as Histogram, wait: JSON.parse(row.wait) as Histogram }
}

export function addBucket(sum: BucketRow, row: BucketRow): void {
  sum.created += row.created
  sum.ok += row.ok
  sum.failed += row.failed
  sum.retried += row.retried
  for (const kind of ['run', 'wait'] as const) {
    for (const [index, n] of Object.entries(row[kind])) sum[kind][index] = (sum[kind][index] ?? 0) + n
  }
}
