import type { JobId, NewJob, Phase } from '@q/core/storage'
import { isFinalPhase } from '@q/core/storage'

/** What the auditor knows of one job, from nothing but the calls and their answers. */
export interface KnownJob {
  readonly spec: NewJob
  /** Grows with every creation. */
  readonly order: number
  readonly createdAt: number
  queue: string
  phase: Phase
  state: string
  /** The number of its last state. */
  n: number
  attempt: number
  crashes: number
  claim: KnownClaim | null
  readonly claims: KnownClaim[]
  /** Somebody wants it to end, and was told that it will. */
  wished: boolean
  /** Parents it still waits for. */
  readonly open: Set<JobId>
  /** A parent ended in a way that it did not ask for. */
  isDoomed: boolean
  /** Ready since its creation, and never anything else. */
  isFresh: boolean
  /** It was in a final state at some time. */
  hasEnded: boolean
  isGone: boolean
}

export interface KnownClaim {
  readonly token: string
  readonly session: KnownSession
  readonly call: number
  readonly attempt: number
  readonly isExtra: boolean
  /** It holds no gate. */
  readonly isBusy: boolean
  /** How it ended, and by which call. */
  ended: { readonly by: string } | null
}

export interface KnownSession {
  readonly id: string
  readonly process: string
  readonly ttl: number
  lastCall: number
  /** When the storage last heard of it, in true time. */
  heardAt: number
  isOver: boolean
  /** Since when, on the storage's clock. */
  overAt: number
  readonly held: Set<KnownJob>
}

export function newKnownJob(spec: NewJob, order: number, createdAt: number): KnownJob {
  return {
    spec,
    order,
    createdAt,
    queue: spec.queue,
    phase: spec.state.phase,
    state: spec.state.name,
    n: 1,
    attempt: 0,
    crashes: 0,
    claim: null,
    claims: [],
    wished: false,
    open: new Set(spec.after?.map(({ parent }) => parent)),
    isDoomed: false,
    isFresh: isPlain(spec) && spec.state.phase === 'ready',
    hasEnded: false,
    isGone: false,
  }
}

export function isPlain(spec: NewJob): boolean {
  return spec.gates === undefined && spec.unique === undefined && spec.expires === undefined && spec.after === undefined
}

export function isFinal(job: KnownJob): boolean {
  return isFinalPhase(job.phase)
}

/** Whether it holds its unique key, as far as that can be said from outside. */
export function holdsKey({ spec, phase, claims, createdAt, hasEnded, isGone }: KnownJob, now: number): boolean {
  if (spec.unique === undefined || isGone || isFinalPhase(phase)) return false
  const { until, ttl } = spec.unique
  return (ttl === undefined || createdAt + ttl > now) && (until === 'final' || (claims.length === 0 && !hasEnded))
}
