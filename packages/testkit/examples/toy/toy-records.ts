import { isFinalPhase } from '@q/core/storage'
import type * as q from '@q/core/storage'

export interface Job extends Omit<q.NewJob, 'state'> {
  readonly queue: string
  readonly priority: number
  /** Its place among the ready jobs of its queue and priority. */
  seq: number
  readonly attempt: number
  readonly crashes: number
  readonly params: Readonly<Record<string, string>>
  readonly tags: readonly string[]
  readonly state: q.StateRecord
  readonly history: q.StateRecord[]
  readonly createdAt: number
  readonly readyAt: number
  readonly dueAt?: number | undefined
  readonly removeAt?: number | undefined
  readonly ranMs?: number | undefined
  readonly parkedFor?: string | undefined
  readonly claim?: { readonly session: Session; readonly token: string } | undefined
  /** The claim that ended last, and the call that ended it. */
  readonly used?: string | undefined
  readonly wish?:
    | { readonly to: q.StateInput; readonly command: string | undefined; readonly signal: Signal }
    | undefined
}
export interface Session extends q.Session {
  seenAt: number
  suspectAt: number
  gone: boolean
  call: number
  readonly held: Set<Job>
  readonly voided: Map<string, Signal>
}
export interface Queue {
  /** In the order of claims. */
  readonly ready: Job[]
  readonly config: q.QueueConfig
  active: number
  tokens: number
  filledAt: number
}
type Signal = q.Signals['cancel'][number]

export function newQueue(): Queue {
  return { ready: [], config: {}, active: 0, tokens: 0, filledAt: 0 }
}

export function newSession(made: q.Session, seenAt: number): Session {
  return { ...made, seenAt, suspectAt: Infinity, gone: false, call: 0, held: new Set(), voided: new Map() }
}

export function newJob(made: q.NewJob, at: number, seq: number): Job {
  const { priority = 100, params = {}, tags = [], delay = 0, by = '' } = made
  const dueAt = made.state.phase === 'scheduled' ? (made.at ?? at + delay) : undefined
  const counters = { seq, attempt: 0, crashes: 0, createdAt: at, readyAt: at, dueAt }
  const state: q.StateRecord = { ...made.state, n: 0, at, attempt: 0, by }
  return { ...made, ...counters, priority, params, tags, state, history: [] }
}

/** What a transition changes of its job, beside the state. */
export function changesOf(job: Job, t: q.Transition, to: q.StateInput, at: number): Partial<Job> {
  const { queue = job.queue, priority = job.priority, ranMs, parkedFor } = t
  const params = Object.entries({ ...job.params, ...t.params }).flatMap(([key, value]) =>
    value === null ? [] : [[key, value]],
  )
  const keep = isFinalPhase(to.phase) ? (t.keep ?? job.keep?.[to.phase] ?? null) : null
  const dueAt = to.phase === 'scheduled' ? (t.at ?? at + (t.delay ?? 0)) : undefined
  const changes = { queue, priority, ranMs, parkedFor, dueAt, readyAt: at, params: Object.fromEntries(params) }
  const attempt = { count: job.attempt, undo: job.attempt - 1, reset: 0 }[t.attempt ?? 'count']
  const crashes = t.attempt === 'reset' ? 0 : job.crashes
  return { ...changes, attempt, crashes, removeAt: keep === null ? undefined : at + keep }
}

export function isExpected(t: q.Transition, { phase, name }: q.StateRecord): boolean {
  return t.from?.some((from) => (typeof from === 'string' ? from === phase : from.state === name)) === true
}

/** By priority, then by the moment they became ready. */
export function putInPlace(ready: Job[], job: Job): void {
  let place = ready.length
  while (place > 0 && (ready[place - 1]!.priority - job.priority || ready[place - 1]!.seq - job.seq) > 0) place--
  ready.splice(place, 0, job)
}

/** Two looks: the first makes a silent session suspect, the second finds it lost. */
export function isLost(session: Session, now: number): boolean {
  if (session.gone || now - session.seenAt < session.ttl / 2) return false
  session.suspectAt = Math.min(session.suspectAt, now)
  return now - session.suspectAt >= session.ttl / 2
}

export function signalsTo({ held, voided }: Session): q.Signals {
  return { queues: 0, cancel: [...Array.from(held).flatMap(({ wish }) => wish?.signal ?? []), ...voided.values()] }
}
