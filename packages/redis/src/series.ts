import { histogramSize } from '@q/core/storage'
import { mapOf, numberOf } from './codec/answer.ts'
import { unpack } from './msgpack.ts'
import { readSeries } from './scripts/monitor.ts'
import type { Bucket, SeriesQuery } from '@q/core/storage'
import type { Database } from './database.ts'

const minuteMs = 60_000
const stepMs = { minute: minuteMs, hour: 60 * minuteMs, day: 1_440 * minuteMs }
const letter = { minute: 'm', hour: 'h', day: 'd' } as const

/** What the scripts counted, by instant and (queue, name). */
type Deltas = ReadonlyMap<string, number>

interface Lane {
  readonly queue: string
  readonly name: string
}

export async function series(db: Database, query: SeriesQuery): Promise<readonly Bucket[]> {
  const size = stepMs[query.step]
  const [from, to] = [Math.floor(query.from / size) * size, query.to]
  const [pairs, rolled, live] = (await db.look(readSeries, { keys: rolledKeys(query.step, from, to) })) as [
    Buffer[],
    Buffer[],
    (Buffer | Buffer[])[],
  ]
  const lanes = lanesOf(pairs)
  const sums = new Map<string, Bucket & { runMs: number[]; waitMs: number[] }>()
  const add = (at: number, pair: string, deltas: Deltas): void => {
    const lane = lanes.get(pair)
    if (lane === undefined || at < from || at >= to) return
    const key = query.by === 'all' ? '' : lane[query.by]
    if (query.by !== 'all' && query.key !== undefined && query.key !== key) return
    const mark = `${at} ${key}`
    const sum = sums.get(mark) ?? emptyBucket(at, key)
    sums.set(mark, addDeltas(sum, deltas))
  }
  for (let i = 0; i < rolled.length; i += 2) {
    const at = Number(rolled[i]!.toString()) * size
    for (const [pair, counted] of mapOf(unpack(rolled[i + 1]!))) {
      add(at, pair, new Map([...mapOf(counted)].map(([what, n]) => [what, numberOf(n)!])))
    }
  }
  for (let i = 0; i < live.length; i += 2) {
    const minuteAt = Number((live[i] as Buffer).toString()) * minuteMs
    const at = Math.floor(minuteAt / size) * size
    for (const [pair, deltas] of deltasOf(live[i + 1] as Buffer[])) add(at, pair, deltas)
  }
  return [...sums.values()].sort((a, b) => a.at - b.at || (a.key < b.key ? -1 : 1))
}

/** Minutes are kept by day, hours by 30 days, days together. */
function rolledKeys(step: SeriesQuery['step'], from: number, to: number): string[] {
  if (step === 'day') return ['d']
  const span = step === 'minute' ? stepMs.day : 30 * stepMs.day
  const most = step === 'minute' ? 3 : 3
  const keys: string[] = []
  for (let last = Math.floor((to - 1) / span), at = last; at >= Math.floor(from / span) && keys.length < most; at--) {
    keys.push(`${letter[step]}${at}`)
  }
  return keys
}

function lanesOf(pairs: readonly Buffer[]): ReadonlyMap<string, Lane> {
  const lanes = new Map<string, Lane>()
  for (let i = 0; i < pairs.length; i += 2) {
    const pair = pairs[i]!
    const end = 2 + pair.readUInt16BE(0)
    lanes.set(pairs[i + 1]!.toString(), { queue: pair.toString('utf8', 2, end), name: pair.toString('utf8', end) })
  }
  return lanes
}

function deltasOf(fields: readonly Buffer[]): ReadonlyMap<string, Deltas> {
  const all = new Map<string, Map<string, number>>()
  for (let i = 0; i < fields.length; i += 2) {
    const [, pair, what] = /^(\d+)(.+)$/.exec(fields[i]!.toString())!
    const deltas = all.get(pair!) ?? new Map<string, number>()
    all.set(pair!, deltas.set(what!, Number(fields[i + 1]!.toString())))
  }
  return all
}

function emptyBucket(at: number, key: string): Bucket & { runMs: number[]; waitMs: number[] } {
  const zeros = (): number[] => Array.from({ length: histogramSize }, () => 0)
  return { at, key, created: 0, ok: 0, failed: 0, retried: 0, runMs: zeros(), waitMs: zeros() }
}

function addDeltas<T extends Bucket & { runMs: number[]; waitMs: number[] }>(bucket: T, deltas: Deltas): T {
  for (const [what, n] of deltas) {
    if (what.startsWith('R')) bucket.runMs[Number(what.slice(1))]! += n
    else if (what.startsWith('W')) bucket.waitMs[Number(what.slice(1))]! += n
  }
  const count = (what: string): number => deltas.get(what) ?? 0
  return {
    ...bucket,
    created: bucket.created + count('c'),
    ok: bucket.ok + count('o'),
    failed: bucket.failed + count('f'),
    retried: bucket.retried + count('r'),
  }
}
