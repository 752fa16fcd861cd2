import type { Edge, FinalPhase, JobId } from '@q/core/storage'
import { statement } from './statement.ts'
import type { Decision, Store } from './store.ts'
import { phaseNumber } from './codec.ts'

/*
 * An edge row stays as long as its parent and its child: it is their kinship. `open` tells whether the child still
 * waits for it. An end that decides more edges than its call may settle marks the rest as owed, so that they belong
 * to that end and to no later one.
 */

interface OpenEdge {
  readonly parent: JobId
  readonly n: number
  readonly child: JobId
}

const addEdge = statement<[string, number, string, number, number]>(
  (t) => `insert into ${t.edge} values (?, ?, ?, ?, ?, null)`,
)
const anyDecided = statement<[string, number, number], { one: 1 }>(
  (t) =>
    `select 1 as one from ${t.edge} where parent = ? and open = 1 and owed is null and (mask & ? <> 0 or ?) limit 1`,
)
/** Edges that name the same ends are decided together, in the order in which their first was opened. */
const decidedEdges = statement<[string, number, number, number], OpenEdge & { mask: number }>(
  (t) => `select parent, n, child, mask from (
    select parent, n, child, mask, min(n) over (partition by mask) as first from ${t.edge}
    where parent = ? and open = 1 and owed is null and (mask & ? <> 0 or ?))
    order by first, n limit ?`,
)
const oweEdges = statement<[number, string, number, number]>(
  (t) => `update ${t.edge} set owed = ? where parent = ? and open = 1 and owed is null and (mask & ? <> 0) = ?`,
)
const addOwed = statement<[string, number, number], { n: number }>(
  (t) => `insert into ${t.owed} (parent, phase, met) values (?, ?, ?) returning n`,
)
const firstOwed = statement<[], { n: number; parent: string; phase: number; met: number }>(
  (t) => `select * from ${t.owed} order by n limit 1`,
)
const owedEdges = statement<[number, number], OpenEdge>(
  (t) => `select parent, n, child from ${t.edge} where owed = ? order by n limit ?`,
)
const dropOwed = statement<[number]>((t) => `delete from ${t.owed} where n = ?`)
const closeEdge = statement<[string, number]>(
  (t) => `update ${t.edge} set open = 0, owed = null where parent = ? and n = ? and open = 1`,
)
const closeEdgesOf = statement<[string]>(
  (t) => `update ${t.edge} set open = 0, owed = null where child = ? and open = 1`,
)
const anyOpenOfChild = statement<[string], { one: 1 }>(
  (t) => `select 1 as one from ${t.edge} where child = ? and open = 1 limit 1`,
)
const anyOpenOfParent = statement<[string], { one: 1 }>(
  (t) => `select 1 as one from ${t.edge} where parent = ? and open = 1 limit 1`,
)
const dropEdgesOf = statement<[string, string]>((t) => `delete from ${t.edge} where parent = ? or child = ?`)

const bits: Readonly<Record<FinalPhase, number>> = { succeeded: 1, failed: 2, deleted: 4 }

export function maskOf(edge: Edge): number {
  return edge.on.reduce((mask, phase) => mask | bits[phase], 0)
}

export function isMetBy(mask: number, end: FinalPhase): boolean {
  return (mask & bits[end]) !== 0
}

export function openEdge(store: Store, parent: JobId, child: JobId, edge: Edge, isOpen: boolean): void {
  store.db.run(addEdge, parent, store.queues.takePlaces(), child, maskOf(edge), isOpen ? 1 : 0)
}

/** A child that does not wait any more. */
export function dropEdges(store: Store, child: JobId): void {
  store.db.run(closeEdgesOf, child)
}

export function waitsForNothing(store: Store, child: JobId): boolean {
  return store.db.get(anyOpenOfChild, child) === undefined
}

export function hasOpenEdges(store: Store, parent: JobId): boolean {
  return store.db.get(anyOpenOfParent, parent) !== undefined
}

/** All kinship of a job that is removed. */
export function forgetEdges(store: Store, id: JobId): void {
  store.db.run(dropEdgesOf, id, id)
}

/** `failed` leaves the edges open that do not name it: the parent may be requeued and succeed. The other ends decide every edge. */
function decidesUnmet(end: FinalPhase): number {
  return end === 'failed' ? 0 : 1
}

export function decidesAnything(store: Store, parent: JobId, end: FinalPhase): boolean {
  return store.db.get(anyDecided, parent, bits[end], decidesUnmet(end)) !== undefined
}

/** At most so many of the edges that this end decides. */
export function edgesOf(
  store: Store,
  { parent, end }: Decision,
  limit: number,
): readonly (OpenEdge & { readonly met: boolean })[] {
  const rows = store.db.all(decidedEdges, parent, bits[end], decidesUnmet(end), limit)
  return rows.map((row) => ({ ...row, met: isMetBy(row.mask, end) }))
}

/** False when the child does not wait for it any more. */
export function close(store: Store, { parent, n }: OpenEdge): boolean {
  return store.db.run(closeEdge, parent, n) > 0
}

/** What this end decides and its call cannot settle is written down. */
export function oweTheRest(store: Store, { parent, end }: Decision): void {
  for (const met of [1, 0]) {
    if (met === 0 && decidesUnmet(end) === 0) continue
    const { n } = store.db.get(addOwed, parent, phaseNumber(end), met)!
    if (store.db.run(oweEdges, n, parent, bits[end], met) === 0) store.db.run(dropOwed, n)
  }
}

export interface Owed {
  readonly n: number
  readonly parent: JobId
  readonly phase: number
  readonly met: boolean
}

export function oldestOwed(store: Store): Owed | undefined {
  const row = store.db.get(firstOwed)
  return row && { ...row, met: row.met === 1 }
}

export function edgesOwed(store: Store, owed: Owed, limit: number): readonly OpenEdge[] {
  return store.db.all(owedEdges, owed.n, limit)
}

export function isSettled(store: Store, owed: Owed): void {
  store.db.run(dropOwed, owed.n)
}

export type { OpenEdge }
