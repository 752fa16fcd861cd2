import type { ClaimToken, JobId, Ms, Occurrence, Payload, SessionId, StateInput } from './job.ts'
import type { ApplyOutcome, Transition } from './jobs.ts'

export interface Session {
  readonly id: SessionId
  /** The server's name, for people. */
  readonly server: string
  readonly ttl: Ms
  /** Opaque facts about the server, for the dashboard. */
  readonly info: Payload
  /** The lost session this one follows: what was not yet recovered of it is handed back without charge. */
  readonly replaces?: SessionId | undefined
}

export interface ClaimedJob {
  readonly id: JobId
  readonly token: ClaimToken
  readonly queue: string
  readonly name: string
  readonly version: number
  readonly payload: Payload
  readonly priority: number
  /** The number of this run, from 1. */
  readonly attempt: number
  readonly crashes: number
  readonly params: Readonly<Record<string, string>>
  readonly tags: readonly string[]
  readonly recurring?: Occurrence | undefined
  readonly createdAt: Ms
  readonly readyAt: Ms
  readonly claimedAt: Ms
  /** A gate with `busy: 'tell'` was shut: the job is claimed but holds no gate, and core decides what becomes of it. */
  readonly busy?: { readonly key: string; readonly holder?: JobId | undefined } | undefined
}

/** Queues are drained in the given order; fairness and weights are the caller's permutation of this list. */
export interface Claim {
  readonly max: number
  /** Beyond the free slots, and only ever plain jobs: no gates, no limits on their queue, never prefetched and lost before. */
  readonly extra?: number | undefined
  readonly queues: readonly { readonly name: string; readonly max?: number | undefined }[]
  /** The state a claimed job enters. */
  readonly state: StateInput
  /** 'name@version' this server knows: parked jobs of these, in these queues, are claimed too. */
  readonly adopt?: readonly string[] | undefined
}

/** Best-effort data of a running job; the last write wins for progress. Log lines are numbered per claim from 1, so a repeat is ignored. */
export interface Note {
  readonly id: JobId
  readonly token: ClaimToken
  readonly progress?: Payload | undefined
  readonly log?: { readonly from: number; readonly lines: readonly Payload[] } | undefined
}

export interface Exchange {
  readonly session: SessionId
  /**
   * Strictly growing per session; as many in flight as `capabilities.callsInFlight` says. A number not above all seen or
   * closed before is refused with Q_CALL_CLOSED.
   */
  readonly call: number
  readonly apply: readonly Transition[]
  readonly notes?: readonly Note[] | undefined
  readonly claim?: Claim | undefined
}

/** A snapshot, repeated in every reply until the claims end: levels, not events. */
export interface Signals {
  /** `voided`: the claim is already taken away; without it the holder is asked to stop, and voids the run itself after `grace`. */
  readonly cancel: readonly {
    readonly id: JobId
    readonly token: ClaimToken
    readonly reason?: string | undefined
    readonly grace?: Ms | undefined
    readonly voided?: boolean | undefined
  }[]
  /** Grows when any queue's configuration changes: read `queues()` again. */
  readonly queues: number
}

export interface ExchangeResult {
  readonly applied: readonly ApplyOutcome[]
  readonly noted: readonly boolean[]
  readonly claimed: readonly ClaimedJob[]
  /** More was ready than was asked for. */
  readonly more: boolean
  /** Otherwise: when anything of these queues may become claimable (due, unpaused, next token). Never late, may be early. */
  readonly nextDue?: Ms | undefined
  /** Parked jobs of these queues could be adopted by somebody: send `adopt` again. */
  readonly adoptable: boolean
  readonly signals: Signals
  /** Grows when a new queue name appears: wildcards are resolved again. */
  readonly names: number
  readonly now: Ms
}

export interface Reconciled {
  /** `held`: not applied, the claim stands; send it again under a new number. */
  readonly applied: readonly (ApplyOutcome | { readonly ok: 'held' })[]
  readonly claimed: readonly ClaimedJob[]
  readonly now: Ms
}

/** Sessions, and everything that happens to running jobs. */
export interface WorkRoom {
  open(session: Session): Promise<void>
  /** THE hot path: complete n, create what follows, claim m, atomically, in one round trip. Q_SESSION_LOST once the session was recovered. */
  exchange(call: Exchange): Promise<ExchangeResult>
  /**
   * After an ambiguous error: closes that call (a late request is refused with Q_CALL_CLOSED from now on), then tells
   * what became of each transition and which jobs that call claimed. Repeatable, for each of the last calls that may have
   * been in flight together.
   */
  reconcile(session: SessionId, call: number, apply: readonly Transition[]): Promise<Reconciled>
  /** One write per session however many jobs it holds. `alive: false` = recovered: stop working on all of them now. */
  heartbeat(ids: readonly SessionId[]): Promise<readonly { readonly alive: boolean; readonly signals: Signals }[]>
  /** Graceful: every job the session still held goes back to its place, attempt undone. */
  end(id: SessionId): Promise<void>
  /** Renews from a thread and connection of its own while the last `tick` is younger than `maxStall`. */
  pacemaker?(session: SessionId, options: { readonly ttl: Ms; readonly maxStall: Ms }): Pacemaker
}

export interface Pacemaker {
  /** The event loop has turned. `renewedMs`: how long ago a call was sent that has renewed the session; without it that is unknown. */
  tick(renewedMs?: Ms): void
  close(): Promise<void>
}

/** The token of a claim. A job is claimed at most once in one call, so the pair is enough. */
export function claimToken(session: SessionId, call: number): ClaimToken {
  return `${session}.${call}`
}

/** The (session, call) a token was made of; null for a text that no claim ever made. */
export function parseToken(token: ClaimToken): { readonly session: SessionId; readonly call: number } | null {
  const dot = token.lastIndexOf('.')
  const call = Number(token.slice(dot + 1))
  return dot > 0 && Number.isSafeInteger(call) ? { session: token.slice(0, dot), call } : null
}
