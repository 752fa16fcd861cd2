import type { JobId, Ms } from '@q/core/storage'
import { type Statement, statement } from './statement.ts'
import type { Store } from './store.ts'

export interface FaultRow {
  readonly fingerprint: string
  readonly preview: string
  readonly names: string
  readonly count: number
  readonly first_at: Ms
  readonly last_at: Ms
  readonly hours: string
  readonly sample: JobId
}

const findFault = statement<[string], FaultRow>((t) => `select * from ${t.fault} where fingerprint = ?`)
const saveFault = statement<[string, string, string, number, number, number, string, string]>(
  (t) => `insert or replace into ${t.fault} values (?, ?, ?, ?, ?, ?, ?, ?)`,
)
export const forgetFaults: Statement<[number]> = statement((t) => `delete from ${t.fault} where last_at < ?`)

const hourMs = 3_600_000
export const trendHours = 24
export const faultKeptMs: Ms = 30 * 24 * hourMs

/** One more failure of this kind. */
export function countFault(
  store: Store,
  error: { readonly fingerprint: string; readonly preview: string },
  name: number,
  job: JobId,
): void {
  const row = store.db.get(findFault, error.fingerprint)
  const names = new Set<string>(row === undefined ? [] : (JSON.parse(row.names) as string[]))
  const hours = new Map<number, number>(row === undefined ? [] : (JSON.parse(row.hours) as [number, number][]))
  const hour = Math.floor(store.now / hourMs)
  names.add(store.words.text(name))
  hours.set(hour, (hours.get(hour) ?? 0) + 1)
  if (hours.size > trendHours) hours.delete(hours.keys().next().value!)
  store.db.run(
    saveFault,
    error.fingerprint,
    error.preview,
    JSON.stringify([...names].sort()),
    (row?.count ?? 0) + 1,
    row?.first_at ?? store.now,
    store.now,
    JSON.stringify([...hours]),
    job,
  )
}

/** Counts of the last 24 hours, oldest first. */
export function trendOf(hours: string, now: Ms): number[] {
  const counts = new Map(JSON.parse(hours) as [number, number][])
  const thisHour = Math.floor(now / hourMs)
  return Array.from({ length: trendHours }, (_, i) => counts.get(thisHour - trendHours + 1 + i) ?? 0)
}
