import type { Claim, ClaimedJob, StateInput } from '@q/core/storage'
import { claimToken, entered } from '@q/core/storage'
import { type Cold, decodeCold, readPayload } from './codec.ts'
import { cutAfter } from './cut-ready.ts'
import { enterState } from './enter-state.ts'
import { holdersOf, passOn, setAside, shutFor, takeGates } from './gates.ts'
import { type Queue, isLimited, isPaused, roomIn } from './queue-book.ts'
import { takeToken } from '@q/core/storage'
import type { SessionState } from './session-book.ts'
import { settle } from './settle.ts'
import { type PickedRow, adoptable, dropTaken, leaseTaken, pickReady, readPayloadOf } from './statements/claim.ts'
import { addLease, anyReady } from './statements/job.ts'
import type { Store } from './store.ts'
import {
  type LiveClaim,
  type StoredJob,
  loadJob,
  mayExpire,
  paramsOf,
  phaseIn,
  saveJob,
  tokenOf,
} from './stored-job.ts'
import { countDuration } from './tally.ts'
import { freeKey } from './unique-keys.ts'

/** Who claims, in which call, and what a claimed job enters. */
interface Claimer {
  readonly session: SessionState
  readonly call: number
  readonly token: string
  readonly state: StateInput
}

interface Entry {
  readonly queue: Queue
  readonly max: number
  taken: number
}

/** Beyond what it may take, a claim looks at no more jobs than this: jobs at shut gates must not make it slow. */
const mostSetAside = 500

/** Takes jobs for a session: parked ones it knows first, then the ready ones of its queues, in the order of the queues. */
export function claimJobs(
  store: Store,
  session: SessionState,
  call: number,
  request: Claim,
): { readonly claimed: readonly ClaimedJob[]; readonly more: boolean } {
  const claimer: Claimer = { session, call, token: claimToken(session.id, call), state: request.state }
  const claimed: ClaimedJob[] = []
  const most = request.max + (request.extra ?? 0)
  const entries: Entry[] = []
  for (const { name, max = Infinity } of request.queues) {
    const queue = store.queues.find(name)
    if (queue !== undefined && !isPaused(queue, store.now)) entries.push({ queue, max, taken: 0 })
  }
  if (request.adopt !== undefined) adopt(store, claimer, request.adopt, Math.ceil(request.max / 2), entries, claimed)
  let looksLeft = most + mostSetAside
  for (const entry of entries) {
    if (claimed.length >= most) break
    if (entry.queue.counts.ready === 0) continue
    looksLeft = drain(store, claimer, entry, request.max, most, looksLeft, claimed)
    if (looksLeft <= 0) break
  }
  const more = entries.some(({ queue }) => hasReady(store, queue) && roomIn(queue, store.now) > 0)
  return { claimed, more }
}

/** Takes what it may of one queue; answers how many looks are left, none when the claim has come to its end. */
function drain(
  store: Store,
  claimer: Claimer,
  entry: Entry,
  max: number,
  most: number,
  looks: number,
  claimed: ClaimedJob[],
): number {
  const { queue } = entry
  const carriesState = hasContent(claimer.state)
  let looksLeft = looks
  for (;;) {
    const room = Math.min(most - claimed.length, entry.max - entry.taken, roomIn(queue, store.now))
    if (room <= 0) return looksLeft
    const rows = store.db.all(pickReady, queue.n, room)
    if (rows.length === 0) return looksLeft
    const { arrivals } = store
    let next = 0
    while (next < rows.length && store.arrivals === arrivals) {
      const row = rows[next]!
      if (claimed.length >= max && isLimited(queue)) return 0
      if (row.rare === 0 && !carriesState) {
        let end = next + 1
        while (end < rows.length && rows[end]!.rare === 0) end++
        if (isLimited(queue)) end = Math.min(end, next + max - claimed.length)
        const run = rows.slice(next, end)
        takePlain(store, claimer, queue, run, max, claimed)
        entry.taken += run.length
        looksLeft -= run.length
        next = end
        continue
      }
      const job = loadJob(store, row.id)!
      const isExtra = claimed.length >= max
      if (isExtra && (job.rest.gates !== undefined || job.rest.neverExtra === true)) return 0
      if (--looksLeft < 0) return 0
      next++
      const answer = take(store, claimer, job, isExtra)
      if (answer === null) continue
      claimed.push(answer)
      entry.taken++
    }
  }
}

/** Consecutive plain jobs change from ready to leased in a few statements, however many they are. */
function takePlain(
  store: Store,
  { session, call, token, state }: Claimer,
  queue: Queue,
  rows: readonly PickedRow[],
  max: number,
  claimed: ClaimedJob[],
): void {
  const { now } = store
  const [first, last] = [rows[0]!, rows[rows.length - 1]!]
  const lastCounted = rows[max - claimed.length - 1] ?? (claimed.length >= max ? undefined : last)
  const [countedPriority, countedSeq] = lastCounted === undefined ? [-1, -1] : [lastCounted.priority, lastCounted.seq]
  const range = [queue.n, first.priority, first.seq, last.priority, last.seq] as const
  const word = store.words.number('state', state.name)
  cutAfter(store, queue.n, last.priority, last.head, last.last, last.seq)
  store.db.run(leaseTaken, session.n, call, now, word, countedPriority, countedSeq, ...range)
  store.db.run(dropTaken, ...range)
  store.queues.count(queue, 'ready', -rows.length)
  store.queues.count(queue, 'active', rows.length)
  const { rate } = queue.config
  for (const row of rows) {
    const { id, name, version, priority, created: createdAt, at: readyAt } = row
    const { params = noParams, tags = noTags, recurring }: Cold = decodeCold(row.cold)
    if (rate != null) queue.fullAt = takeToken(rate, queue.fullAt, now)
    countDuration(store.tally.row(name, queue.n, now).wait, now - readyAt)
    store.wakes.job(id)
    claimed.push({
      id,
      token,
      queue: queue.name,
      name: store.words.text(name),
      version,
      payload: readPayload(row.payload),
      priority,
      attempt: 1,
      crashes: 0,
      params,
      tags,
      recurring,
      createdAt,
      readyAt,
      claimedAt: now,
      busy: undefined,
    })
  }
}

/** A state that says more than its name has to be written down for each job. */
function hasContent({ reason, data, error }: StateInput): boolean {
  return reason !== undefined || data !== undefined || error !== undefined
}

function adopt(
  store: Store,
  claimer: Claimer,
  known: readonly string[],
  share: number,
  entries: readonly Entry[],
  claimed: ClaimedJob[],
): void {
  for (const entry of entries) {
    if (entry.queue.counts.parked === 0) continue
    const rows = store.db.all(adoptable, entry.queue.n, JSON.stringify(known), share + mostSetAside)
    for (const { id } of rows) {
      if (claimed.length >= share || entry.taken >= entry.max || roomIn(entry.queue, store.now) <= 0) break
      const answer = take(store, claimer, loadJob(store, id)!, false)
      if (answer === null) continue
      claimed.push(answer)
      entry.taken++
    }
  }
}

/** Null when the job could not be taken: it has expired, or sleeps at a gate now. */
function take(store: Store, claimer: Claimer, job: StoredJob, extra: boolean): ClaimedJob | null {
  const { rest } = job
  const { now } = store
  if (mayExpire(job) && rest.expiresAt! <= now) {
    enterState(store, job, { to: entered.expired })
    settle(store)
    return null
  }
  const shut = shutFor(store, job)
  const telling = shut.find(({ busy }) => busy === 'tell')
  if (telling === undefined && shut.length > 0) {
    // A parked job stays parked: it never passes through ready.
    if (phaseIn(job) === 'ready') setAside(store, job, shut[0]!)
    return null
  }
  const { session, call, state } = claimer
  const { queue, parkedFor } = job
  const readyPlace = [job.priority, job.seq] as const
  job.attempt++
  job.waitedMs = now - job.readyAt
  enterState(store, job, { leave: 'claim', to: state, by: session.server })
  job.claim = { session, call, at: now }
  rest.extra = extra || undefined
  rest.adoptedFor = parkedFor
  rest.busy = telling && { key: telling.key, holder: holdersOf(store, telling.key, 1)[0] }
  const kept = job.cold.keep === undefined ? 0 : 1
  const word = store.words.number('state', state.name)
  const lease = [
    session.n,
    job.id,
    call,
    queue.n,
    job.name,
    ...readyPlace,
    now,
    job.readyAt,
    word,
    1,
    kept,
    extra ? 1 : 0,
  ] as const
  store.db.run(addLease, ...lease)
  if (queue.config.rate != null) {
    queue.fullAt = takeToken(queue.config.rate, queue.fullAt, now)
    store.queues.changed(queue)
  }
  countDuration(store.tally.row(job.name, queue.n, now).wait, job.waitedMs)
  if (telling === undefined) takeGates(store, job)
  else passOn(store, job)
  if (rest.key?.until === 'claimed') freeKey(store, job)
  saveJob(store, job)
  return claimedJob(store, job, job.claim)
}

export function claimedJob(store: Store, job: StoredJob, claim: LiveClaim): ClaimedJob {
  const { recurring, tags = noTags } = job.cold
  return {
    id: job.id,
    token: tokenOf(claim),
    queue: job.queue.name,
    name: store.words.text(job.name),
    version: job.version,
    payload: readPayload(store.db.get(readPayloadOf, job.id)!.payload),
    priority: job.priority,
    attempt: job.attempt,
    crashes: job.crashes,
    params: paramsOf(job),
    tags,
    recurring,
    createdAt: job.createdAt,
    readyAt: job.readyAt,
    claimedAt: claim.at,
    busy: job.rest.busy,
  }
}

/** Jobs that sleep at a gate are ready, but not to be claimed. */
export function hasReady(store: Store, queue: Queue): boolean {
  return queue.counts.ready > 0 && store.db.get(anyReady, queue.n) !== undefined
}

const noParams: Readonly<Record<string, string>> = Object.freeze({})
const noTags: readonly string[] = Object.freeze([])
