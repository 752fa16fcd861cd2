import type { StateInput } from '../storage/job.ts'
import type { Claim, ClaimedJob } from '../storage/work.ts'
import { claimToken } from '../storage/work.ts'
import { entered } from '../storage/entered.ts'
import { copyPayload, copyState } from './copy.ts'
import { enterState } from './enter-state.ts'
import { type LiveClaim, type StoredJob, comparePlaces, phaseOf } from './job.ts'
import { type QueueLine, type QueueState, hasRoom, isLimited, isPaused } from './queue.ts'
import { takeToken } from '../storage/rate.ts'
import type { SessionState } from './sessions.ts'
import { settle } from './settle.ts'
import { type Store, mayExpire } from './store.ts'
import { countDuration } from './tally.ts'

/** Who claims, in which call, and how far it has come. */
interface Claimer {
  readonly session: SessionState
  readonly call: number
  readonly token: string
  readonly state: StateInput
  readonly queues: readonly Source[]
  readonly claimed: ClaimedJob[]
}

interface Source {
  readonly queue: QueueState
  /** What this call may still take from it. */
  left: number
}

/** Beyond what it may take, a claim looks at no more jobs than this: jobs at shut gates must not make it slow. */
const mostSetAside = 500

/** Takes jobs for a session: parked ones it knows first, then the ready ones of its queues, in the order of the queues. */
export function claimJobs(
  store: Store,
  session: SessionState,
  call: number,
  { max, extra = 0, queues, state, adopt }: Claim,
): { readonly claimed: readonly ClaimedJob[]; readonly more: boolean } {
  const claimer: Claimer = {
    session,
    call,
    token: claimToken(session.id, call),
    state: copyState(state),
    queues: queues.flatMap(({ name, max: left = Infinity }) => {
      const queue = store.queues.get(name)
      return queue === undefined || isPaused(queue, store.now) ? [] : [{ queue, left }]
    }),
    claimed: [],
  }
  if (adopt !== undefined) adoptParked(store, claimer, Math.ceil(max / 2), new Set(adopt))
  takeReady(store, claimer, max, max + extra)
  const more = claimer.queues.some(({ queue }) => queue.ready.size > 0 && hasRoom(queue, store.now))
  return { claimed: claimer.claimed, more }
}

function adoptParked(store: Store, claimer: Claimer, most: number, known: ReadonlySet<string>): void {
  for (const source of claimer.queues) {
    for (const job of adoptable(store, source.queue, known, most)) {
      if (claimer.claimed.length >= most || source.left <= 0 || !hasRoom(source.queue, store.now)) break
      if (take(store, claimer, job, false)) source.left--
    }
  }
}

/** Up to `max`, and beyond that up to `most` while there are only plain jobs. */
function takeReady(store: Store, claimer: Claimer, max: number, most: number): void {
  const { claimed } = claimer
  let examined = 0
  for (const source of claimer.queues) {
    const { queue } = source
    while (claimed.length < most && source.left > 0 && hasRoom(queue, store.now)) {
      const job = queue.ready.first()
      if (job === undefined) break
      const extra = claimed.length >= max
      if ((extra && !isPlain(job)) || ++examined > most + mostSetAside) return
      if (take(store, claimer, job, extra)) source.left--
    }
  }
}

export function claimedJob(job: StoredJob, claim: LiveClaim): ClaimedJob {
  const { lane, recurring } = job
  return {
    id: job.id,
    token: claim.token,
    queue: lane.queue.name,
    name: lane.name,
    version: job.version,
    payload: copyPayload(job.payload),
    priority: job.priority,
    attempt: job.attempt,
    crashes: job.crashes,
    params: job.params,
    tags: job.tags,
    recurring: recurring && { id: recurring.id, at: recurring.at },
    createdAt: job.createdAt,
    readyAt: job.readyAt,
    claimedAt: claim.at,
    busy: claim.busy,
  }
}

/** False when the job could not be taken: it has expired, or sleeps at a gate now. */
function take(store: Store, claimer: Claimer, job: StoredJob, extra: boolean): boolean {
  const { rare } = job
  let busy: LiveClaim['busy']
  if (rare !== null) {
    if (mayExpire(job) && rare.expiresAt! <= store.now) {
      enterState(store, job, { to: entered.expired })
      settle(store)
      return false
    }
    const shut = store.gates.shutFor(job, store.now)
    const telling = shut.find((gate) => gate.busy === 'tell')
    if (telling !== undefined) {
      const [holder] = store.gates.get(telling.key)?.holders ?? []
      busy = { key: telling.key, holder: holder?.id }
    } else if (shut.length > 0) {
      // A parked job stays parked: it never passes through ready.
      if (phaseOf(job) === 'ready') store.gates.setAside(job, shut[0]!, store.now)
      return false
    }
  }
  const { session, call, token, state } = claimer
  const { now } = store
  const { queue } = job.lane
  const claim: LiveClaim = { session, call, token, at: now, extra, adoptedFor: rare?.parkedFor, busy, logged: 0 }
  job.attempt++
  enterState(store, job, { leave: 'claim', to: state, by: session.server })
  job.claim = claim
  session.held.add(job)
  if (queue.config.rate != null) queue.fullAt = takeToken(queue.config.rate, queue.fullAt, now)
  job.waitedMs = now - job.readyAt
  countDuration(store.tally.row(job.lane, now).waitMs, job.waitedMs)
  if (rare !== null) {
    if (busy === undefined) store.gates.take(job, now)
    else store.gates.passOn(job, now)
    if (rare.key?.until === 'claimed') store.keys.free(job)
  }
  claimer.claimed.push(claimedJob(job, claim))
  return true
}

/** Without gates, without limits on its queue, and not known to have been lost while it waited at a server. */
function isPlain(job: StoredJob): boolean {
  const { rare } = job
  return !isLimited(job.lane.queue) && (rare === null || (rare.gates === undefined && rare.neverExtra !== true))
}

/** The parked jobs of a queue that this server knows, oldest place first. */
function adoptable(store: Store, queue: QueueState, known: ReadonlySet<string>, most: number): readonly StoredJob[] {
  const found: StoredJob[] = []
  for (const [parkedFor, line] of queue.parked) {
    if (store.rules.mayAdopt(parkedFor, known)) found.push(...firstOf(line, most + mostSetAside))
  }
  return found.sort(comparePlaces)
}

function firstOf(line: QueueLine, most: number): StoredJob[] {
  const jobs: StoredJob[] = []
  for (const job of line.after()) {
    if (jobs.length === most) break
    jobs.push(job)
  }
  return jobs
}
