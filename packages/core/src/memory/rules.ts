import type { ClaimToken, JobId, Ms, Phase } from '../storage/job.ts'
import { isFinalPhase } from '../storage/job.ts'

/**
 * The few decisions on which the safety of the storage rests, each asked at the one place where it is made. They have
 * names so that a test can break one of them and see that somebody notices.
 */
export interface Rules {
  /** Only the claim that holds the job may end it. */
  holdsTheJob(held: ClaimToken | undefined, shown: ClaimToken): boolean
  /** What follows a run is stored only if the run's end was. */
  storesFollowUps(ended: boolean): boolean
  /** A call that was seen or closed never happens again. */
  isNewCall(call: number, lastCall: number): boolean
  /** A session that is being buried, or is buried, neither ends nor claims anything. */
  mayWork(session: { readonly standing: 'alive' | 'buried' }): boolean
  /** Whoever is silent for half its ttl becomes suspect at the first look. */
  isSuspect(session: { readonly seenAt: Ms; readonly ttl: Ms }, now: Ms): boolean
  /** Whoever stays silent for another half after the first look is lost at the second. */
  isLost(session: { readonly suspectAt: Ms | undefined; readonly ttl: Ms }, now: Ms): boolean
  /** A wish to cancel outlives every step that would leave the job non-final. */
  obeysWish(phase: Phase): boolean
  /** A parent's end decides its children's edges in the same step. */
  readonly decidesEdgesAtOnce: boolean
  /** Only its owner frees a unique key. */
  mayFreeKey(owner: JobId | undefined, job: JobId): boolean
  /** Gates are held exactly while the job is active, whatever ended the claim. */
  freesGates(end: EndOfClaim): boolean
  /** A waiter that ends gives up its offer, and the next one is woken. */
  readonly endedWaiterWakesTheNext: boolean
  /** A tick happens once for each version of its schedule. */
  mayTick(version: number, expected: number): boolean
  /** A parked job is taken by a server that knows it. */
  mayAdopt(parkedFor: string, known: ReadonlySet<string>): boolean
}

export type EndOfClaim = 'transition' | 'handed back' | 'recovery'

export const rules: Rules = {
  holdsTheJob: (held, shown) => held === shown,
  storesFollowUps: (ended) => ended,
  isNewCall: (call, lastCall) => call > lastCall,
  mayWork: (session) => session.standing === 'alive',
  isSuspect: (session, now) => now - session.seenAt >= session.ttl / 2,
  isLost: (session, now) => session.suspectAt !== undefined && now - session.suspectAt >= session.ttl / 2,
  obeysWish: (phase) => !isFinalPhase(phase),
  decidesEdgesAtOnce: true,
  mayFreeKey: (owner, job) => owner === job,
  freesGates: () => true,
  endedWaiterWakesTheNext: true,
  mayTick: (version, expected) => version === expected,
  mayAdopt: (parkedFor, known) => known.has(parkedFor),
}
