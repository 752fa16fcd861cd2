import type { JobId, Phase } from '@q/core/storage'

/** One line of a ledger: what a process did, written by itself before anything else could happen to it. */
export type Entry =
  | { readonly k: 'opened'; readonly at: number; readonly pid: number }
  /** A producer is about to enqueue, has been told that it is stored, or that it is not, or nothing clear. */
  | {
      readonly k: 'intent'
      readonly at: number
      readonly id: JobId
      readonly job: string
      readonly parent?: JobId | undefined
    }
  | { readonly k: 'accepted' | 'refused' | 'unclear'; readonly at: number; readonly id: JobId; readonly code?: string }
  /** A command is about to be sent. */
  | { readonly k: 'command'; readonly at: number; readonly id: JobId; readonly verb: 'requeue' | 'delete' }
  /** A handler started, did what it is for, and ended in one of three ways. */
  | {
      readonly k: 'start' | 'effect' | 'end' | 'threw'
      readonly at: number
      readonly id: JobId
      readonly attempt: number
    }
  | { readonly k: 'aborted'; readonly at: number; readonly id: JobId; readonly attempt: number; readonly code: string }
  /** The storage answered the end of a run: it counts (`done`), or it comes too late (`stale`). */
  | {
      readonly k: 'done' | 'stale'
      readonly at: number
      readonly id: JobId
      readonly token: string
      readonly to: Phase
    }
  /** A call to the storage is on its way, and came back. `fail` is the code of its error. */
  | { readonly k: 'call'; readonly at: number; readonly method: string }
  | { readonly k: 'back'; readonly at: number; readonly method: string; readonly ms: number; readonly fail?: string }
  /** The storage did what it was asked, and nobody was told. */
  | { readonly k: 'swallowed'; readonly at: number; readonly method: string }
  | { readonly k: 'lease lost'; readonly at: number; readonly reason: string }
  /** The event loop did not turn for so long. */
  | { readonly k: 'stalled'; readonly at: number; readonly ms: number }
  | { readonly k: 'unhandled'; readonly at: number; readonly error: string }
  | { readonly k: 'stopped'; readonly at: number }

/** An entry, and the process whose ledger it stands in. */
export type Witnessed = Entry & { readonly who: string }

/** Milliseconds of a clock that is the same for every process of this machine and never jumps. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}
