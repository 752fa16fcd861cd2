import type { Ms } from '../storage/job.ts'
import type { Bucket, SeriesQuery } from '../storage/monitor.ts'
import { histogramIndex, histogramSize } from '../storage/histogram.ts'
import type { Lane } from './queue.ts'

export interface TallyRow {
  readonly at: Ms
  readonly queue: string
  readonly name: string
  created: number
  ok: number
  failed: number
  retried: number
  readonly runMs: Uint32Array
  readonly waitMs: Uint32Array
}

/** By step, then by lane. */
type Table = Map<Ms, Map<string, TallyRow>>

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const stepMs = { minute: minuteMs, hour: hourMs, day: dayMs } as const

/** What happened, counted where it happened: one row per lane and minute, later per hour, then per day. */
export class Tally {
  readonly #minutes: Table = new Map()
  readonly #hours: Table = new Map()
  readonly #days: Table = new Map()

  /** The row to count in. */
  row(lane: Lane, now: Ms): TallyRow {
    const at = now - (now % minuteMs)
    if (lane.row?.at !== at) lane.row = rowIn(this.#minutes, at, lane.queue.name, lane.name)
    return lane.row
  }

  /** Steps in which something happened, oldest first; every row stands in exactly one of the three tables. */
  series({ by, key, from, to, step }: SeriesQuery): Bucket[] {
    const size = stepMs[step]
    const tables = { minute: [this.#minutes], hour: [this.#minutes, this.#hours], day: this.#tables() }[step]
    const merged = new Map<string, TallyRow & { key: string }>()
    for (const rows of tables.flatMap((table) => [...table.values()])) {
      for (const row of rows.values()) {
        const at = row.at - (row.at % size)
        const rowKey = by === 'all' ? 'all' : row[by]
        if (at + size <= from || at >= to || (key !== undefined && key !== rowKey)) continue
        let sum = merged.get(`${at} ${rowKey}`)
        if (sum === undefined)
          merged.set(`${at} ${rowKey}`, (sum = { ...emptyRow(at, row.queue, row.name), key: rowKey }))
        addRow(sum, row)
      }
    }
    return [...merged.values()]
      .sort((a, b) => a.at - b.at || (a.key < b.key ? -1 : 1))
      .map(({ at, key, created, ok, failed, retried, runMs, waitMs }) => {
        return { at, key, created, ok, failed, retried, runMs: [...runMs], waitMs: [...waitMs] }
      })
  }

  /** Minutes stay a day, hours 30 days, days a year. */
  rollUp(now: Ms): void {
    roll(this.#minutes, now - dayMs - hourMs, this.#hours, hourMs)
    roll(this.#hours, now - 30 * dayMs, this.#days, dayMs)
    for (const at of this.#days.keys()) if (at < now - 365 * dayMs) this.#days.delete(at)
  }

  #tables(): Table[] {
    return [this.#minutes, this.#hours, this.#days]
  }
}

export function countDuration(histogram: Uint32Array, ms: Ms): void {
  const index = histogramIndex(ms)
  histogram[index] = histogram[index]! + 1
}

function roll(from: Table, before: Ms, into: Table, size: Ms): void {
  for (const [at, rows] of from) {
    if (at >= before) break
    for (const row of rows.values()) addRow(rowIn(into, at - (at % size), row.queue, row.name), row)
    from.delete(at)
  }
}

function rowIn(table: Table, at: Ms, queue: string, name: string): TallyRow {
  let rows = table.get(at)
  if (rows === undefined) table.set(at, (rows = new Map()))
  const lane = `${name}\0${queue}`
  let row = rows.get(lane)
  if (row === undefined) rows.set(lane, (row = emptyRow(at, queue, name)))
  return row
}

function emptyRow(at: Ms, queue: string, name: string): TallyRow {
  const [runMs, waitMs] = [new Uint32Array(histogramSize), new Uint32Array(histogramSize)]
  return { at, queue, name, created: 0, ok: 0, failed: 0, retried: 0, runMs, waitMs }
}

function addRow(sum: TallyRow, row: TallyRow): void {
  sum.created += row.created
  sum.ok += row.ok
  sum.failed += row.failed
  sum.retried += row.retried
  for (let i = 0; i < histogramSize; i++) {
    sum.runMs[i]! += row.runMs[i]!
    sum.waitMs[i]! += row.waitMs[i]!
  }
}
