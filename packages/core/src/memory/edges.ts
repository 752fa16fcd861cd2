import type { Edge, FinalPhase, JobId, Ms, StateInput } from '../storage/job.ts'
import { type StoredJob, rareOf } from './job.ts'

/** What a job has as a parent and as a child. */
export interface Family {
  /** Every parent it was created under. */
  readonly parents: readonly JobId[]
  /** As a child: the edges it waits for. */
  readonly waitsFor: Set<OpenEdge>
  /** Entered when the last edge is met. */
  readonly release: StateInput | undefined
  readonly releaseDelay: Ms | undefined
  readonly releaseAt: Ms | undefined
  /** As a parent: the edges its next end may decide, by what they name. */
  readonly open: Map<number, Set<OpenEdge>>
  readonly children: Set<StoredJob>
}

export interface OpenEdge {
  readonly parent: StoredJob
  readonly child: StoredJob
  readonly on: number
}

/** The end of a parent, and the edges it decides. They belong to it from now on: a later end of the same parent finds them gone. */
export interface Decision {
  readonly parent: JobId
  readonly end: FinalPhase
  readonly met: boolean
  readonly edges: readonly OpenEdge[]
  /** The first that is not settled yet. */
  next: number
}

const bits: Readonly<Record<FinalPhase, number>> = { succeeded: 1, failed: 2, deleted: 4 }

export function maskOf(edge: Edge): number {
  return edge.on.reduce((mask, phase) => mask | bits[phase], 0)
}

export function isMetBy(mask: number, end: FinalPhase): boolean {
  return (mask & bits[end]) !== 0
}

export function familyOf(job: StoredJob): Family {
  return (rareOf(job).family ??= {
    parents: [],
    waitsFor: new Set(),
    release: undefined,
    releaseDelay: undefined,
    releaseAt: undefined,
    open: new Map(),
    children: new Set(),
  })
}

export function openEdge(parent: StoredJob, child: StoredJob, on: number): void {
  const edge = { parent, child, on }
  const { open } = familyOf(parent)
  const equal = open.get(on)
  if (equal === undefined) open.set(on, new Set([edge]))
  else equal.add(edge)
  familyOf(child).waitsFor.add(edge)
}

/** A child that does not wait any more. */
export function dropEdges(child: StoredJob): void {
  const waitsFor = child.rare?.family?.waitsFor
  for (const edge of waitsFor ?? []) {
    const open = familyOf(edge.parent).open
    const equal = open.get(edge.on)
    if (equal?.delete(edge) && equal.size === 0) open.delete(edge.on)
  }
  waitsFor?.clear()
}

/** `failed` leaves the edges open that do not name it: the parent may be requeued and succeed. The other ends decide every edge. */
export function decisionsOf(parent: StoredJob, end: FinalPhase): readonly Decision[] {
  const open = parent.rare?.family?.open
  if (open === undefined) return noDecisions
  const decisions: Decision[] = []
  for (const [mask, edges] of open) {
    const met = isMetBy(mask, end)
    if (!met && end === 'failed') continue
    open.delete(mask)
    decisions.push({ parent: parent.id, end, met, edges: [...edges], next: 0 })
  }
  return decisions
}

const noDecisions: readonly Decision[] = []

export function hasOpenEdges(parent: StoredJob): boolean {
  return (parent.rare?.family?.open.size ?? 0) > 0
}
