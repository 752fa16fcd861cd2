import type {
  ClaimToken,
  Gate,
  JobId,
  Keep,
  Ms,
  Occurrence,
  Payload,
  Phase,
  StateInput,
  UniqueKey,
} from '../storage/job.ts'
import type { LogLine } from '../storage/monitor.ts'
import type { Family } from './edges.ts'
import type { GateLine, GateState } from './gates.ts'
import type { Indexed } from './phase-index.ts'
import type { Lane } from './queue.ts'
import type { SessionState } from './sessions.ts'

/** A job as this storage holds it. What most jobs never have stands in `rare`. */
export interface StoredJob extends Indexed {
  readonly id: JobId
  readonly version: number
  readonly payload: Payload
  readonly preview: string | undefined
  readonly tags: readonly string[]
  readonly recurring: Occurrence | undefined
  readonly keep: Keep | undefined
  readonly crashLimit: number
  readonly createdAt: Ms
  /** Grows with every creation: which of two jobs is older. */
  readonly born: number
  /** Its queue and name. */
  lane: Lane
  priority: number
  /** Its place among the ready jobs of its queue, taken when it last became ready. */
  seq: number
  /** The present state; the earlier ones hang behind it. */
  state: StateEntry
  enteredAt: Ms
  attempt: number
  crashes: number
  readyAt: Ms
  /** Of a scheduled job. */
  dueAt: Ms | undefined
  /** Of a final job; undefined = never. */
  removeAt: Ms | undefined
  waitedMs: Ms | undefined
  ranMs: Ms | undefined
  params: Readonly<Record<string, string>>
  claim: LiveClaim | null
  rare: Rare | null
}

export interface StateEntry {
  readonly state: StateInput
  readonly n: number
  readonly at: Ms
  readonly attempt: number
  readonly by: string
  readonly command: string | undefined
  previous: StateEntry | null
}

/** The one claim that holds a job now. */
export interface LiveClaim {
  readonly session: SessionState
  readonly call: number
  readonly token: ClaimToken
  readonly at: Ms
  /** Taken beyond the free slots of its server: it may never have started. */
  readonly extra: boolean
  /** It came from the parked ones, and goes back there. */
  readonly adoptedFor: string | undefined
  readonly busy: { readonly key: string; readonly holder: JobId | undefined } | undefined
  /** The number of the last log line of this claim. */
  logged: number
}

export interface Rare {
  expiresAt?: Ms | undefined
  key?: { readonly key: string; readonly until: UniqueKey['until']; readonly expiresAt: Ms | undefined }
  /** In the order of their keys. */
  gates?: readonly Gate[]
  /** Asleep at this gate. */
  asideAt?: GateState | undefined
  /** Put back by this line of a gate, which counts it until it is claimed, set aside or ended. */
  offeredBy?: GateLine | undefined
  family?: Family
  parkedFor?: string | undefined
  /** The last sixteen. */
  commands?: string[]
  wish?: Wish | undefined
  /** Was prefetched and lost with its server: never prefetched again. */
  neverExtra?: boolean
  progress?: Payload | undefined
  logs?: { lines: LogLine[]; n: number }
  /** The fingerprint of its last failure. */
  lastError?: string | undefined
}

/** A cancel that waits for the end of the present claim. */
export interface Wish {
  readonly to: StateInput
  readonly by: string
  readonly command: string | undefined
  readonly keep: Ms | null | undefined
  readonly grace: Ms | undefined
}

export function phaseOf(job: StoredJob): Phase {
  return job.state.state.phase
}

/** The rare side of a job, made when first needed. */
export function rareOf(job: StoredJob): Rare {
  return (job.rare ??= {})
}

export interface PlaceInQueue {
  readonly priority: number
  readonly seq: number
}

/** The order in which the ready jobs of one queue are claimed. */
export function comparePlaces(a: PlaceInQueue, b: PlaceInQueue): number {
  return a.priority - b.priority || a.seq - b.seq
}

export interface PlaceInTime {
  readonly dueAt: Ms | undefined
  readonly born: number
}

/** The order in which scheduled jobs are promoted. */
export function compareDue(a: PlaceInTime, b: PlaceInTime): number {
  return (a.dueAt ?? 0) - (b.dueAt ?? 0) || a.born - b.born
}

const rememberedCommands = 16

export function rememberCommand(job: StoredJob, command: string | undefined): void {
  if (command === undefined) return
  const commands = (rareOf(job).commands ??= [])
  commands.push(command)
  if (commands.length > rememberedCommands) commands.shift()
}

const rememberedStates = 200

/** Appends a state to the history. Instants never go back; what is more than 200 states old is forgotten now and then. */
export function recordState(job: StoredJob, state: StateInput, at: Ms, by: string, command?: string): void {
  const previous = job.state
  const n = previous.n + 1
  job.state = { state, n, at, attempt: job.attempt, by, command, previous }
  job.enteredAt = at
  if (n % rememberedStates !== 0) return
  let oldest: StateEntry | null = job.state
  for (let left = rememberedStates - 1; oldest !== null && left > 0; left--) oldest = oldest.previous
  if (oldest !== null) oldest.previous = null
}
