import type { Bucket, SeriesQuery } from '@q/core/storage'
import { addHistograms } from '@q/core/storage'
import type { Reader } from './reader.ts'

export const ranges = ['1h', '6h', '24h', '7d', '30d'] as const
export type Range = (typeof ranges)[number]

interface Grain {
  readonly spanMs: number
  readonly step: SeriesQuery['step']
  /** Several steps make one point, so that a chart has about as many points as it has room for. */
  readonly pointMs: number
}

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const grains: Readonly<Record<Range, Grain>> = {
  '1h': { spanMs: hour, step: 'minute', pointMs: minute },
  '6h': { spanMs: 6 * hour, step: 'minute', pointMs: 5 * minute },
  '24h': { spanMs: day, step: 'hour', pointMs: hour },
  '7d': { spanMs: 7 * day, step: 'hour', pointMs: 2 * hour },
  '30d': { spanMs: 30 * day, step: 'day', pointMs: day },
}

/** What happened in one stretch of time. */
export interface Point {
  readonly at: number
  readonly created: number
  readonly ok: number
  readonly failed: number
  readonly retried: number
  readonly runMs: readonly number[]
  readonly waitMs: readonly number[]
}

export interface Activity {
  readonly range: Range
  readonly from: number
  readonly to: number
  readonly pointMs: number
  /** One per stretch, quiet ones included, oldest first; the last one is not over yet. */
  readonly points: readonly Point[]
}

export function readRange(text: string | null, fallback: Range = '1h'): Range {
  return ranges.find((range) => range === text) ?? fallback
}

export async function readActivity(
  reader: Reader,
  now: number,
  range: Range,
  of: Pick<SeriesQuery, 'by' | 'key'> = { by: 'all' },
): Promise<Activity> {
  const { from, to, step, pointMs } = spanOf(now, range)
  const buckets = await reader.series({ ...of, from, to, step })
  const points = new Map<number, Point>()
  for (let at = from; at < to; at += pointMs) points.set(at, emptyPoint(at))
  for (const bucket of buckets) {
    const at = bucket.at - ((bucket.at - from) % pointMs)
    const point = points.get(at)
    if (point !== undefined) points.set(at, addPoint(point, bucket))
  }
  return { range, from, to, pointMs, points: [...points.values()] }
}

/** Everything of a range added up by job name or by queue. */
export async function readTotals(
  reader: Reader,
  now: number,
  range: Range,
  by: 'name' | 'queue',
): Promise<ReadonlyMap<string, Point>> {
  const { from, to, step } = spanOf(now, range)
  // Names times minutes would be a long list; the hours say the same sum.
  const buckets = await reader.series({ by, from, to, step: range === '6h' ? 'hour' : step })
  const totals = new Map<string, Point>()
  for (const bucket of buckets) totals.set(bucket.key, addPoint(totals.get(bucket.key) ?? emptyPoint(from), bucket))
  return totals
}

function spanOf(now: number, range: Range): { from: number; to: number; step: SeriesQuery['step']; pointMs: number } {
  const { spanMs, step, pointMs } = grains[range]
  const to = (Math.floor(now / pointMs) + 1) * pointMs
  return { from: to - spanMs, to, step, pointMs }
}

export function emptyPoint(at: number): Point {
  return { at, created: 0, ok: 0, failed: 0, retried: 0, runMs: [], waitMs: [] }
}

export function addPoint(point: Point, bucket: Bucket | Point): Point {
  return {
    at: point.at,
    created: point.created + bucket.created,
    ok: point.ok + bucket.ok,
    failed: point.failed + bucket.failed,
    retried: point.retried + bucket.retried,
    runMs: addHistograms(point.runMs, bucket.runMs),
    waitMs: addHistograms(point.waitMs, bucket.waitMs),
  }
}
