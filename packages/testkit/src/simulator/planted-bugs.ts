import type { Rules } from '@q/core/memory'

/** Storages with one rule broken each: mistakes that were really made somewhere. The simulator has to notice every one. */
export const plantedBugs: Readonly<Record<string, Partial<Rules>>> = {
  'a completion without the token': { holdsTheJob: () => true },
  'a recovery without its predicate': { isSuspect: () => true, isLost: () => true },
  'children released after the commit': { decidesEdgesAtOnce: false },
  'a key freed by a non-owner': { mayFreeKey: () => true },
  'a gate not freed on recovery': { freesGates: (end) => end !== 'recovery' },
  'a waiter that ends in a gate and wakes nobody': { endedWaiterWakesTheNext: false },
  'a tick without the version': { mayTick: () => true },
  'a late call after it was closed': { isNewCall: () => true },
  'a claim by a session that is being buried': { mayWork: () => true },
  'a cancel lost on retry': { obeysWish: () => false },
  'a parked job never adopted': { mayAdopt: () => false },
  'a follow-up of a refused completion': { storesFollowUps: () => true },
}
