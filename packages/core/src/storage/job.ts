/**
 * 26 characters of Crockford base32 for 128 bits: 48 of time, 10 reserved (0), 70 random; or derived from a text.
 * Made by the client, so that every repeat after a lost reply names the same job.
 */
export type JobId = string
/** Names one claim of one job: made of (session, call), so it is unique even if a failover loses writes. Compared for equality. */
export type ClaimToken = string
/** Made by the client, random per opening. */
export type SessionId = string
/** Opaque text or bytes of the codec. Storages never look inside, never re-encode, and give back the kind they were given. */
export type Payload = Uint8Array | string
/** Milliseconds. Instants are on the storage's clock. */
export type Ms = number

/** What a storage indexes. State names belong to the framework and are only stored, never interpreted. */
export type Phase = 'awaiting' | 'scheduled' | 'ready' | 'active' | 'parked' | 'succeeded' | 'failed' | 'deleted'
export type FinalPhase = 'succeeded' | 'failed' | 'deleted'

export const phases: readonly Phase[] = [
  'awaiting',
  'scheduled',
  'ready',
  'active',
  'parked',
  'succeeded',
  'failed',
  'deleted',
]
export const finalPhases: readonly FinalPhase[] = ['succeeded', 'failed', 'deleted']

export function isFinalPhase(phase: Phase): phase is FinalPhase {
  return phase === 'succeeded' || phase === 'failed' || phase === 'deleted'
}

export interface StateInput {
  readonly name: string
  readonly phase: Phase
  readonly reason?: string | undefined
  readonly data?: Payload | undefined
  /** Computed by the worker, indexed by the storage. `preview` has at most 200 bytes, so that lists never read `data`. */
  readonly error?: { readonly fingerprint: string; readonly preview: string } | undefined
}

/** A state a job entered. `n` counts from 1 without gaps. */
export interface StateRecord extends StateInput {
  readonly n: number
  readonly at: Ms
  readonly attempt: number
  /** The server, client or user behind it; empty when the storage entered it by itself. */
  readonly by: string
  readonly command?: string | undefined
}

/** A job waits for `parent`. `on` lists the final phases that satisfy the edge. `missing: 'met'`: a parent that is gone counts as met. */
export interface Edge {
  readonly parent: JobId
  readonly on: readonly FinalPhase[]
  readonly missing?: 'met' | undefined
}

export interface Rate {
  readonly max: number
  readonly per: Ms
}

/** A shared limit, held exactly while the job is active, whatever ends the claim. The limit that counts is that of the job being claimed. */
export interface Gate {
  readonly key: string
  readonly limit?: number | undefined
  readonly rate?: Rate | undefined
  /** `wait` (default): set aside, and put back at its old place when the gate opens. `tell`: returned as busy, not held, and core decides. */
  readonly busy?: 'wait' | 'tell' | undefined
}

export interface UniqueKey {
  readonly key: string
  /** `claimed`: given up at the first claim and never taken again by that job. `final`: held through retries. */
  readonly until: 'claimed' | 'final'
  readonly ttl?: Ms | undefined
  readonly conflict: 'skip' | 'replace'
}

/** How long a job stays readable in each final phase; null = until deleted by hand. An absent phase means the default of `defaultKeepMs`. */
export type Keep = Readonly<Partial<Record<FinalPhase, Ms | null>>>

export const defaultKeepMs: Readonly<Record<FinalPhase, Ms | null>> = {
  succeeded: 86_400_000,
  failed: null,
  deleted: 86_400_000,
}

export interface Occurrence {
  readonly id: string
  readonly at: Ms
}

export interface NewJob {
  readonly id: JobId
  readonly queue: string
  readonly name: string
  readonly version: number
  readonly payload: Payload
  /** At most 256 bytes, for lists. Absent with a text payload: lists show the start of that (`previewOf`). */
  readonly preview?: string | undefined
  /** 0…65535, lower is claimed first; default 100. FIFO inside one (queue, priority). */
  readonly priority?: number | undefined
  /** The first state, already elected by the filters: phase ready, scheduled or awaiting. */
  readonly state: StateInput
  /** For `scheduled`: a delay, or an instant on the storage's clock (past means now). With `awaiting`: `delay` counts from the release. */
  readonly delay?: Ms | undefined
  readonly at?: Ms | undefined
  /** For `awaiting`: edges to jobs stored before, or anywhere in the same list, and the state entered when the last one is met. */
  readonly after?: readonly Edge[] | undefined
  readonly then?: StateInput | undefined
  /** From creation until the first counted start; after it the job enters deleted('expired before start') instead of being claimed. */
  readonly expires?: Ms | undefined
  readonly unique?: UniqueKey | undefined
  /** At most four; taken all or none, in the order of their keys. */
  readonly gates?: readonly Gate[] | undefined
  readonly recurring?: Occurrence | undefined
  readonly params?: Readonly<Record<string, string>> | undefined
  readonly tags?: readonly string[] | undefined
  readonly keep?: Keep | undefined
  /** The job goes to `failed` instead of back to `ready` when it loses its session for the crashLimit-th time. Default 3. */
  readonly crashLimit?: number | undefined
  readonly by?: string | undefined
}

export const defaultPriority = 100
export const defaultCrashLimit = 3
