import type { FinalPhase, JobId } from '@q/core/storage'
import { unmetBy } from '@q/core/storage'
import { openState, phaseOf } from './codec.ts'
import {
  type OpenEdge,
  close,
  edgesOf,
  edgesOwed,
  isSettled,
  oldestOwed,
  oweTheRest,
  waitsForNothing,
} from './edges.ts'
import { enterState } from './enter-state.ts'
import type { Store } from './store.ts'
import { type StoredJob, loadJob } from './stored-job.ts'

/**
 * Carries out what the ends of parents have decided: as much as this call may still cause, the rest becomes owed. A
 * child that is deleted is a parent itself, so this goes on until nothing follows. Answers how many children it released.
 */
export function settle(store: Store): number {
  let released = 0
  for (let decision = store.decisions.shift(); decision !== undefined; decision = store.decisions.shift()) {
    const edges = store.effectsLeft > 0 ? edgesOf(store, decision, store.effectsLeft) : []
    for (const edge of edges) {
      if (!close(store, edge)) continue
      store.effectsLeft--
      if (decide(store, edge.child, decision.parent, decision.end, edge.met)) released++
    }
    if (store.effectsLeft === 0) oweTheRest(store, decision)
  }
  return released
}

/** Settles at most so many of the owed effects, oldest first; answers how many there were. */
export function settleOwed(store: Store, limit: number): number {
  const { effectsLeft } = store
  let settled = 0
  // What follows from an owed effect is owed as well, behind what was owed before.
  store.effectsLeft = 0
  while (settled < limit) {
    const owed = oldestOwed(store)
    if (owed === undefined) break
    const edges: readonly OpenEdge[] = edgesOwed(store, owed, limit - settled)
    if (edges.length === 0) isSettled(store, owed)
    for (const edge of edges) {
      if (!close(store, edge)) continue
      settled++
      decide(store, edge.child, owed.parent, phaseOf(owed.phase) as FinalPhase, owed.met)
      for (const decision of store.decisions.splice(0)) oweTheRest(store, decision)
    }
  }
  store.effectsLeft = effectsLeft
  return settled
}

/** One edge is decided. True when it was the last one its child waited for. */
function decide(store: Store, id: JobId, parent: JobId, end: FinalPhase, met: boolean): boolean {
  const child = loadJob(store, id)!
  if (!met) {
    enterState(store, child, { to: unmetBy(parent, end) })
    return false
  }
  if (!waitsForNothing(store, id)) return false
  release(store, child, parent, end)
  return true
}

/** The last edge of an awaiting job is met. */
export function release(store: Store, child: StoredJob, parent: JobId, end: FinalPhase | 'gone'): void {
  const { then, thenAt, thenDelay } = child.rest
  const to = then === undefined ? releasedBy(parent, end) : openState(then)
  enterState(store, child, { to, dueAt: thenAt ?? store.now + (thenDelay ?? 0) })
}

function releasedBy(parent: JobId, end: FinalPhase | 'gone'): StoredJob['state'] {
  return { name: 'enqueued', phase: 'ready', reason: `parent ${parent} ${end === 'gone' ? 'is gone' : end}` }
}
