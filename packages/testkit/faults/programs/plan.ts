import type { Target } from './target.ts'

/** What a process of the fleet is told when it is started. */
export interface Plan {
  readonly role: 'worker' | 'producer'
  /** Unique: it signs the ledger, and the history of jobs. */
  readonly name: string
  readonly ledger: string
  readonly target: Target
  readonly seed: number
  readonly leaseMs: number
  readonly concurrency: number
  /** A worker's lease is renewed beside its event loop, where the storage can do that. */
  readonly hasPacemaker: boolean
  /** A wrong clock: so far off, and jumping there and back when it says so. */
  readonly clock?: { readonly shiftMs: number; readonly jumps: boolean } | undefined
  /** A worker that is ready but does nothing until it is told to begin. */
  readonly waits: boolean
  /** Its ledger would only fill the disk: nobody will judge it. */
  readonly isQuiet: boolean
  /** A producer's pause between two jobs. */
  readonly gapMs: number
}

/** What it is told while it runs. */
export type Order =
  | { readonly do: 'stop' }
  | { readonly do: 'begin' }
  /** The event loop does not turn for so long. */
  | { readonly do: 'block'; readonly ms: number }
  /** The next answer to a call of this method never arrives. */
  | { readonly do: 'swallow'; readonly method: Swallowed }

export type Swallowed = 'create' | 'exchange' | 'heartbeat' | 'tick'

/** What it tells: that it is at work, that an answer was swallowed. */
export type Report = { readonly ready: true } | { readonly swallowed: Swallowed }
