import type { FinalPhase, JobId, Ms } from '@q/core/storage'
import type { Connection } from './connection.ts'
import { QueueBook } from './queue-book.ts'
import { SessionBook } from './session-book.ts'
import { Lull } from './lull.ts'
import { storageTime } from './storage-time.ts'
import { Tally } from './tally.ts'
import type { Wakes } from './wakes.ts'
import { Words } from './words.ts'

/**
 * One connection and what is known of the database behind it. Functions change it, one step at a time, inside a write
 * transaction: nobody else writes meanwhile, so what a step reads stays true until it ends.
 */
export interface Store {
  readonly db: Connection
  readonly time: () => Ms
  /** The instant of the present step. */
  now: Ms
  readonly words: Words
  readonly queues: QueueBook
  readonly sessions: SessionBook
  readonly tally: Tally
  readonly wakes: Wakes
  /** What the calls of an idle server have found. */
  readonly lull: Lull
  /** Ends of parents that this step still has to settle. */
  readonly decisions: Decision[]
  /** How many effects of this call may still happen in it. */
  effectsLeft: number
  /** Grows whenever a row is put among the ready ones: a claim that reads ahead has to look again. */
  arrivals: number
  /** How far the walk along the ended jobs that stay as long as usual has come, by phase; it begins anew now and then. */
  readonly swept: { since: Ms; readonly to: Map<FinalPhase, { readonly at: Ms; readonly id: JobId }> }
  /** How far the walk along the gates with sleepers has come. */
  lookedAtGate: string
  /** Tells whether another connection has written since. */
  dataVersion: number
}

/** The end of a parent, and what it decides. */
export interface Decision {
  readonly parent: JobId
  readonly end: FinalPhase
}

const effectsPerCall = 500

export function newStore(db: Connection, wakes: Wakes): Store {
  return {
    db,
    time: storageTime(db),
    now: 0,
    words: new Words(db),
    queues: new QueueBook(db),
    sessions: new SessionBook(db),
    tally: new Tally(db),
    wakes,
    lull: new Lull(db),
    decisions: [],
    effectsLeft: 0,
    arrivals: 0,
    swept: { since: 0, to: new Map() },
    lookedAtGate: '',
    dataVersion: -1,
  }
}

/** Opens a step; the write transaction is there already. What others have written since makes all that is known here old. */
export function beginStep(store: Store): void {
  store.now = store.time()
  const dataVersion = store.db.dataVersion()
  if (dataVersion === store.dataVersion) return
  store.dataVersion = dataVersion
  refresh(store)
}

/** One call of a step has so many effects of its own. */
export function beginCall(store: Store): void {
  store.effectsLeft = effectsPerCall
}

/** Writes what was only counted so far; the COMMIT follows. */
export function endStep(store: Store): void {
  store.queues.save()
  store.tally.save()
}

/** The step was rolled back, or somebody else wrote. */
export function refresh(store: Store): void {
  store.queues.refresh()
  store.sessions.refresh()
  store.tally.refresh()
}

export function forgetStep(store: Store): void {
  refresh(store)
  store.words.forget()
  store.lull.forget()
  store.wakes.forget()
  store.decisions.length = 0
}
