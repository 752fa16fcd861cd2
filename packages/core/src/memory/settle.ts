import type { FinalPhase, JobId, StateInput } from '../storage/job.ts'
import { unmetBy } from '../storage/entered.ts'
import type { Decision, OpenEdge } from './edges.ts'
import { enterState } from './enter-state.ts'
import type { StoredJob } from './job.ts'
import type { Store } from './store.ts'

/**
 * Carries out what the ends of parents have decided: as much as this step may still cause, the rest becomes owed. A
 * child that is deleted is a parent itself, so this goes on until nothing follows. Answers how many children it released.
 */
export function settle(store: Store): number {
  let released = 0
  if (store.decisions.length === 0) return released
  for (let decision = store.decisions.shift(); decision !== undefined; decision = store.decisions.shift()) {
    while (store.effectsLeft > 0 && decision.next < decision.edges.length) {
      if (decide(store, decision, decision.edges[decision.next++]!)) released++
    }
    if (decision.next < decision.edges.length) store.owed.push(decision)
  }
  return released
}

/** Settles at most so many of the owed effects, oldest first; answers how many there were. */
export function settleOwed(store: Store, limit: number): number {
  const { effectsLeft } = store
  let settled = 0
  while (settled < limit && store.owed.length > 0) {
    const decision = store.owed[0]!
    store.effectsLeft = 1
    decide(store, decision, decision.edges[decision.next++]!)
    if (store.effectsLeft === 0) settled++
    if (decision.next === decision.edges.length) store.owed.shift()
    // What follows from this is owed as well, behind what was owed before.
    store.owed.push(...store.decisions.splice(0))
  }
  store.effectsLeft = effectsLeft
  return settled
}

/** One edge. True when it was the last one its child waited for. */
function decide(store: Store, { parent, end, met }: Decision, edge: OpenEdge): boolean {
  const { child } = edge
  const waitsFor = child.rare!.family!.waitsFor
  if (!waitsFor.delete(edge)) return false
  store.effectsLeft--
  if (!met) {
    enterState(store, child, { to: unmetBy(parent, end) })
    return false
  }
  if (waitsFor.size > 0) return false
  release(store, child, parent, end)
  return true
}

/** The last edge of an awaiting job is met. */
export function release(store: Store, child: StoredJob, parent: JobId, end: FinalPhase | 'gone'): void {
  const { release: to, releaseAt, releaseDelay } = child.rare!.family!
  const dueAt = releaseAt ?? store.now + (releaseDelay ?? 0)
  enterState(store, child, { to: to ?? releasedBy(parent, end), dueAt })
}

function releasedBy(parent: JobId, end: FinalPhase | 'gone'): StateInput {
  return { name: 'enqueued', phase: 'ready', reason: `parent ${parent} ${end === 'gone' ? 'is gone' : end}` }
}
