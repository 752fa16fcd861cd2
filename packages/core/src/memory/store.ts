import type { Clock } from '../clock.ts'
import type { FinalPhase, JobId, Ms, Phase, SessionId } from '../storage/job.ts'
import { isFinalPhase, phases } from '../storage/job.ts'
import { QError } from '../errors.ts'
import { DueHeap } from './due-heap.ts'
import type { Decision } from './edges.ts'
import { ErrorGroups } from './error-groups.ts'
import { Gates } from './gates.ts'
import { type PlaceInTime, type StoredJob, compareDue, phaseOf } from './job.ts'
import { OrderedList } from './ordered-list.ts'
import { PhaseIndex } from './phase-index.ts'
import { type QueueState, newQueue } from './queue.ts'
import type { Rules } from './rules.ts'
import { Schedules } from './schedules.ts'
import type { SessionState } from './sessions.ts'
import { storageTime } from './storage-time.ts'
import { Tally } from './tally.ts'
import { UniqueKeys } from './unique-keys.ts'
import { Watchers } from './watchers.ts'

/** Everything this storage knows. Functions change it, one step at a time; nothing of it ever leaves. */
export interface Store {
  readonly rules: Rules
  readonly time: () => Ms
  /** The instant of the present step. */
  now: Ms
  closed: boolean
  readonly jobs: Map<JobId, StoredJob>
  readonly stubs: Map<JobId, Stub>
  readonly phases: Readonly<Record<Phase, PhaseIndex<StoredJob>>>
  readonly queues: Map<string, QueueState>
  readonly sessions: Map<SessionId, SessionState>
  /** Ended or recovered, and until when their ids are refused. */
  readonly buried: Map<SessionId, { readonly session: SessionState; readonly until: Ms }>
  readonly due: OrderedList<PlaceInTime, StoredJob>
  readonly expiring: DueHeap<StoredJob>
  readonly removing: DueHeap<StoredJob>
  readonly keys: UniqueKeys
  readonly gates: Gates
  /** Ends of parents that this step still has to settle. */
  readonly decisions: Decision[]
  /** What was too much for its step: settled by `promote`, oldest first. */
  readonly owed: Decision[]
  /** How many effects of this step may still happen in it. */
  effectsLeft: number
  readonly tags: Map<string, number>
  readonly tally: Tally
  readonly errors: ErrorGroups
  readonly schedules: Schedules
  readonly locks: Map<string, { readonly owner: string; readonly fence: number; expiresAt: Ms }>
  readonly watchers: Watchers
  seq: number
  born: number
  fences: number
  /** Scheduled jobs that have run before. */
  retrying: number
  changes: number
  queueChanges: number
}

/** What is left of a removed job for two minutes, so that a late repeat is answered well. */
export interface Stub {
  readonly end: FinalPhase
  readonly commands: readonly string[]
  readonly until: Ms
}

const effectsPerStep = 500

export function newStore(clock: Clock, rules: Rules): Store {
  const watchers = new Watchers()
  return {
    rules,
    time: storageTime(clock),
    now: 0,
    closed: false,
    jobs: new Map(),
    stubs: new Map(),
    phases: phaseIndexes(),
    queues: new Map(),
    sessions: new Map(),
    buried: new Map(),
    due: new OrderedList(compareDue),
    expiring: new DueHeap((job, at) => mayExpire(job) && job.rare?.expiresAt === at),
    removing: new DueHeap((job, at) => job.removeAt === at),
    keys: new UniqueKeys(rules),
    gates: new Gates(rules, (queue) => watchers.queue(queue.name)),
    decisions: [],
    owed: [],
    effectsLeft: 0,
    tags: new Map(),
    tally: new Tally(),
    errors: new ErrorGroups(),
    schedules: new Schedules(),
    locks: new Map(),
    watchers,
    seq: 0,
    born: 0,
    fences: 0,
    retrying: 0,
    changes: 0,
    queueChanges: 0,
  }
}

/** Opens a step: one instant for all that happens in it. */
export function begin(store: Store): void {
  if (store.closed) {
    throw new QError('Q_STORAGE_UNAVAILABLE', 'The memory storage is closed, so nothing was changed. Open a new one.')
  }
  store.now = store.time()
  store.effectsLeft = store.rules.decidesEdgesAtOnce ? effectsPerStep : 0
}

export function queueOf(store: Store, name: string): QueueState {
  let queue = store.queues.get(name)
  if (queue === undefined) {
    store.queues.set(name, (queue = newQueue(name)))
    store.watchers.names()
  }
  return queue
}

export function stubOf(store: Store, id: JobId): Stub | undefined {
  const stub = store.stubs.get(id)
  return stub !== undefined && stub.until > store.now ? stub : undefined
}

/** Whether the time to start is still running: a first start that counted stops it. */
export function mayExpire(job: StoredJob): boolean {
  const phase = phaseOf(job)
  return job.rare?.expiresAt !== undefined && job.attempt === 0 && phase !== 'active' && !isFinalPhase(phase)
}

function phaseIndexes(): Record<Phase, PhaseIndex<StoredJob>> {
  const indexes = phases.map((phase) => [phase, new PhaseIndex<StoredJob>()])
  return Object.fromEntries(indexes) as Record<Phase, PhaseIndex<StoredJob>>
}
