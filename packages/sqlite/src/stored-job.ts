import type { ClaimToken, JobId, Ms, Phase, StateInput } from '@q/core/storage'
import { claimToken, defaultCrashLimit } from '@q/core/storage'
import { type Cold, type Rest, decodeCold, decodeRest, encodeRest, phaseNumber, phaseOf } from './codec.ts'
import { cutOut, isInLine } from './cut-ready.ts'
import type { Queue } from './queue-book.ts'
import type { SessionState } from './session-book.ts'
import {
  type DoneRow,
  type JobRow,
  type LeaseRow,
  type MoreRow,
  addHistory,
  dropDone,
  findDone,
  findJob,
  findLeaseAnywhere,
  findMore,
  forgetHistory,
  markLease,
  markReady,
  saveMore,
} from './statements/job.ts'
import type { Store } from './store.ts'

/** A job with everything that may change of it. Read in full only where a job leaves the plain path. */
export interface StoredJob {
  readonly id: JobId
  /** The number of its word. */
  readonly name: number
  readonly version: number
  readonly createdAt: Ms
  /** Which of two jobs is older. */
  readonly born: number
  readonly cold: Cold
  /** False while everything about it can be read out of the rows of a plain job. */
  isRare: boolean
  queue: Queue
  priority: number
  /** Its place among the ready jobs of its queue, taken when it last became ready. */
  seq: number
  state: StateInput
  n: number
  at: Ms
  by: string
  command: string | undefined
  attempt: number
  crashes: number
  readyAt: Ms
  dueAt: Ms | undefined
  removeAt: Ms | undefined
  waitedMs: Ms | undefined
  ranMs: Ms | undefined
  parkedFor: string | undefined
  /** The fingerprint of its last failure. */
  lastError: string | undefined
  claim: LiveClaim | null
  rest: Rest
  /** Until it is made rare: the states before the present one, which only then become rows. */
  derived: readonly DerivedState[]
}

export interface LiveClaim {
  readonly session: SessionState
  readonly call: number
  readonly at: Ms
}

/** A state of a plain job, read out of its rows. */
export interface DerivedState {
  readonly state: StateInput
  readonly at: Ms
  readonly attempt: number
  readonly by: string
}

export function tokenOf({ session, call }: LiveClaim): ClaimToken {
  return claimToken(session.id, call)
}

export function phaseIn(job: StoredJob): Phase {
  return job.state.phase
}

export function crashLimitOf(job: StoredJob): number {
  return job.cold.crashLimit ?? defaultCrashLimit
}

export function paramsOf(job: StoredJob): Readonly<Record<string, string>> {
  return job.rest.params ?? job.cold.params ?? noParams
}

const noParams: Readonly<Record<string, string>> = Object.freeze({})

export function loadJob(store: Store, id: JobId): StoredJob | undefined {
  const row = store.db.get(findJob, id)
  if (row === undefined) return undefined
  const more = store.db.get(findMore, id)
  return more === undefined ? loadPlain(store, row) : loadRare(store, row, more)
}

function loadRare(store: Store, row: JobRow, more: MoreRow): StoredJob {
  const session = more.session === null ? undefined : store.sessions.get(more.session)
  return {
    ...fixedPart(row),
    isRare: true,
    queue: store.queues.get(more.queue),
    priority: more.priority,
    seq: more.seq,
    state: {
      name: more.state,
      phase: phaseOf(more.phase),
      reason: more.reason ?? undefined,
      error: more.error === null ? undefined : { fingerprint: more.error, preview: more.error_preview ?? '' },
    },
    n: more.n,
    at: more.at,
    by: more.by,
    command: more.command ?? undefined,
    attempt: more.attempt,
    crashes: more.crashes,
    readyAt: more.ready_at,
    dueAt: more.due_at ?? undefined,
    removeAt: more.remove_at ?? undefined,
    waitedMs: more.waited ?? undefined,
    ranMs: more.ran ?? undefined,
    parkedFor: more.parked_for ?? undefined,
    lastError: more.last_error ?? undefined,
    claim: session === undefined ? null : { session, call: more.call!, at: more.claimed! },
    rest: decodeRest(more.rest),
    derived: [],
  }
}

function loadPlain(store: Store, row: JobRow): StoredJob {
  const done = store.db.get(findDone, row.id)
  if (done !== undefined) return plainFinal(store, row, done)
  if (isInLine(store, row.queue, row.priority, row.seq)) return plainReady(store, row)
  return plainActive(store, row, store.db.get(findLeaseAnywhere, row.id)!)
}

function plainReady(store: Store, row: JobRow): StoredJob {
  return {
    ...fixedPart(row),
    isRare: false,
    queue: store.queues.get(row.queue),
    priority: row.priority,
    seq: row.seq,
    state: { name: store.words.text(row.state), phase: 'ready' },
    n: 1,
    at: row.created,
    by: row.by ?? '',
    command: undefined,
    attempt: 0,
    crashes: 0,
    readyAt: row.created,
    dueAt: undefined,
    removeAt: undefined,
    waitedMs: undefined,
    ranMs: undefined,
    parkedFor: undefined,
    lastError: undefined,
    claim: null,
    rest: {},
    derived: [],
  }
}

function plainActive(store: Store, row: JobRow, lease: LeaseRow): StoredJob {
  const ready = plainReady(store, row)
  const session = store.sessions.get(lease.session)!
  return {
    ...ready,
    state: { name: store.words.text(lease.state), phase: 'active' },
    n: 2,
    at: lease.at,
    by: session.server,
    attempt: 1,
    waitedMs: lease.at - lease.ready_at,
    claim: { session, call: lease.call, at: lease.at },
    rest: lease.extra === 1 ? { extra: true } : {},
    derived: [firstState(ready)],
  }
}

function plainFinal(store: Store, row: JobRow, done: DoneRow): StoredJob {
  const ready = plainReady(store, row)
  const by = store.words.text(done.server)
  const state = doneState(store, done)
  return {
    ...ready,
    state,
    n: 3,
    at: done.at,
    by,
    attempt: 1,
    waitedMs: done.claimed - done.ready_at,
    ranMs: done.ran ?? undefined,
    removeAt: done.remove_at ?? undefined,
    lastError: state.phase === 'failed' ? state.error?.fingerprint : undefined,
    rest: { ended: [{ session: done.session, call: done.call, by: done.ended_by }] },
    derived: [firstState(ready), { state: claimState(store, done.claim_state), at: done.claimed, attempt: 1, by }],
  }
}

export function doneState(store: Pick<Store, 'words'>, done: DoneRow): StateInput {
  return {
    name: store.words.text(done.state),
    phase: phaseOf(done.phase),
    reason: done.reason ?? undefined,
    data: done.data ?? undefined,
    error: done.error === null ? undefined : { fingerprint: done.error, preview: done.error_preview ?? '' },
  }
}

function claimState(store: Store, word: number): StateInput {
  return { name: store.words.text(word), phase: 'active' }
}

function firstState({ state, at, attempt, by }: StoredJob): DerivedState {
  return { state, at, attempt, by }
}

function fixedPart(row: JobRow): Pick<StoredJob, 'id' | 'name' | 'version' | 'createdAt' | 'born' | 'cold'> {
  const { id, name, version, created: createdAt, seq: born, cold } = row
  return { id, name, version, createdAt, born, cold: decodeCold(cold) }
}

/** From now on what changes of it stands in rows of its own. `saveJob` follows in the same step. */
export function makeRare(store: Store, job: StoredJob): void {
  if (job.isRare) return
  job.isRare = true
  const states = [...job.derived, { state: job.state, at: job.at, attempt: job.attempt, by: job.by }]
  for (const [index, { state, at, attempt, by }] of states.entries()) {
    writeHistory(store, job.id, index + 1, state, at, attempt, by)
  }
  job.derived = []
  switch (phaseIn(job)) {
    case 'ready':
      cutOut(store, job.queue.n, job.priority, job.seq)
      store.db.run(markReady, job.queue.n, job.priority, job.seq)
      return
    case 'active':
      store.db.run(markLease, job.claim!.session.n, job.id)
      return
    default:
      store.db.run(dropDone, job.id)
  }
}

export function saveJob(store: Store, job: StoredJob): void {
  const { state, claim } = job
  store.db.run(
    saveMore,
    job.id,
    phaseNumber(state.phase),
    job.at,
    job.queue.n,
    job.priority,
    job.seq,
    job.n,
    state.name,
    state.reason ?? null,
    state.error?.fingerprint ?? null,
    state.error?.preview ?? null,
    job.by,
    job.command ?? null,
    job.attempt,
    job.crashes,
    job.readyAt,
    job.dueAt ?? null,
    job.removeAt ?? null,
    mayExpire(job) ? job.rest.expiresAt! : null,
    job.waitedMs ?? null,
    job.ranMs ?? null,
    claim?.session.n ?? null,
    claim?.call ?? null,
    claim?.at ?? null,
    job.parkedFor ?? null,
    job.lastError ?? null,
    encodeRest(job.rest),
  )
}

/** Whether the time to start is still running: a first start that counted stops it. */
export function mayExpire(job: StoredJob): boolean {
  if (job.rest.expiresAt === undefined || job.attempt > 0) return false
  const phase = phaseIn(job)
  return phase === 'ready' || phase === 'scheduled' || phase === 'awaiting' || phase === 'parked'
}

const rememberedStates = 200

/** Appends a state to the history of a rare job. Instants never go back. */
export function recordState(store: Store, job: StoredJob, state: StateInput, by: string, command?: string): void {
  job.n++
  job.at = Math.max(job.at, store.now)
  job.state = state
  job.by = by
  job.command = command
  writeHistory(store, job.id, job.n, state, job.at, job.attempt, by, command)
  if (job.n % rememberedStates === 0) store.db.run(forgetHistory, job.id, job.n - rememberedStates)
}

export function writeHistory(
  store: Store,
  id: JobId,
  n: number,
  { name, phase, reason, error, data }: StateInput,
  at: Ms,
  attempt: number,
  by: string,
  command?: string,
): void {
  const { fingerprint = null, preview = null } = error ?? {}
  store.db.run(
    addHistory,
    id,
    n,
    name,
    phaseNumber(phase),
    at,
    attempt,
    by,
    command ?? null,
    reason ?? null,
    fingerprint,
    preview,
    data ?? null,
  )
}

const rememberedCommands = 16

export function rememberCommand(job: StoredJob, command: string | undefined): void {
  if (command === undefined) return
  const commands = (job.rest.commands ??= [])
  commands.push(command)
  if (commands.length > rememberedCommands) commands.shift()
}
