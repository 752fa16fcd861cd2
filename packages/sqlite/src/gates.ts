import type { Gate, JobId, Ms } from '@q/core/storage'
import { putReady } from './put-ready.ts'
import type { Queue } from './queue-book.ts'
import { nextTokenAt, takeToken, tokensLeft } from '@q/core/storage'
import { statement } from './statement.ts'
import { dropReady } from './statements/job.ts'
import type { Store } from './store.ts'
import { type StoredJob, loadJob, saveJob } from './stored-job.ts'

export interface GateState {
  readonly key: string
  /** How many jobs hold it. */
  used: number
  /** Of its token bucket. */
  fullAt: Ms
  /** When a token comes for those who sleep here. */
  wakeAt: Ms | null
  /** The rotation of its lines. */
  turn: number
}

interface GateRow {
  readonly key: string
  readonly used: number
  readonly full_at: number
  readonly wake_at: number | null
  readonly turn: number
}

/** The sleepers of one queue at one gate. */
interface Line {
  readonly gate: string
  readonly queue: number
  /** Put back in their queue, and not yet claimed, set aside or ended. */
  offered: number
}

interface Sleeper {
  readonly id: JobId
  readonly priority: number
  readonly seq: number
}

const readGate = statement<[string], GateRow>((t) => `select * from ${t.gate} where key = ?`)
const writeGate = statement<[string, number, number, number | null, number]>(
  (t) => `insert or replace into ${t.gate} values (?, ?, ?, ?, ?)`,
)
const dropGate = statement<[string]>((t) => `delete from ${t.gate} where key = ?`)
const addHold = statement<[string, string]>((t) => `insert or ignore into ${t.hold} values (?, ?)`)
const dropHold = statement<[string, string]>((t) => `delete from ${t.hold} where key = ? and id = ?`)
const readHolders = statement<[string, number], { id: string }>((t) => `select id from ${t.hold} where key = ? limit ?`)

const readLine = statement<[string, number], Line>((t) => `select * from ${t.line} where gate = ? and queue = ?`)
const readLines = statement<[string], Line>((t) => `select * from ${t.line} where gate = ? order by turn`)
const anyLine = statement<[string], { one: 1 }>((t) => `select 1 as one from ${t.line} where gate = ? limit 1`)
const addLine = statement<[string, number, number]>((t) => `insert into ${t.line} values (?, ?, 0, ?)`)
const turnLine = statement<[number, string, number]>(
  (t) => `update ${t.line} set turn = ? where gate = ? and queue = ?`,
)
const saveOffered = statement<[number, string, number]>(
  (t) => `update ${t.line} set offered = ? where gate = ? and queue = ?`,
)
const dropLine = statement<[string, number]>((t) => `delete from ${t.line} where gate = ? and queue = ?`)
const gatesWithLines = statement<[string, number], { gate: string }>(
  (t) => `select distinct gate from ${t.line} where gate > ? order by gate limit ?`,
)

const addSleeper = statement<[string, number, string, number, number, string]>(
  (t) => `insert into ${t.sleeper} values (?, ?, ?, ?, ?, ?)`,
)
const dropSleeper = statement<[string, number, string, number, number]>(
  (t) => `delete from ${t.sleeper} where gate = ? and queue = ? and limits = ? and priority = ? and seq = ?`,
)
const nextLimits = statement<[string, number, string], { limits: string }>(
  (t) => `select limits from ${t.sleeper} where gate = ? and queue = ? and limits > ? order by limits limit 1`,
)
const firstSleeper = statement<[string, number, string], Sleeper>(
  (t) =>
    `select id, priority, seq from ${t.sleeper} where gate = ? and queue = ? and limits = ? order by priority, seq limit 1`,
)

const nextWake = statement<[], { at: number }>(
  (t) => `select wake_at as at from ${t.gate} where wake_at is not null order by wake_at limit 1`,
)
const dueGates = statement<[number], GateRow>((t) => `select * from ${t.gate} where wake_at <= ? order by wake_at`)
const idleGates = statement<[number, number], { key: string }>(
  (t) =>
    `select key from ${t.gate} g where used = 0 and full_at <= ? and not exists (select 1 from ${t.line} l where l.gate = g.key) limit ?`,
)

/** For each freed slot: so that a thousand queues waiting for one slot are not all woken for it. */
const queuesPerSlot = 8

export function gateState(store: Store, key: string): GateState | undefined {
  const row = store.db.get(readGate, key)
  return row && openGate(row)
}

function openGate({ key, used, full_at: fullAt, wake_at: wakeAt, turn }: GateRow): GateState {
  return { key, used, fullAt, wakeAt, turn }
}

export function holdersOf(store: Store, key: string, limit: number): JobId[] {
  return store.db.all(readHolders, key, limit).map(({ id }) => id)
}

/** How many more jobs with these limits the gate lets in now. */
export function roomAt(state: Pick<GateState, 'used' | 'fullAt'> | undefined, gate: Gate, now: Ms): number {
  const slots = gate.limit === undefined ? Infinity : gate.limit - (state?.used ?? 0)
  const tokens = gate.rate === undefined ? Infinity : tokensLeft(gate.rate, state?.fullAt ?? 0, now)
  return Math.min(slots, tokens)
}

/** When time alone opens a gate at which somebody sleeps. */
export function nextOpening(store: Store): Ms | undefined {
  return store.db.get(nextWake)?.at
}

export function shutFor(store: Store, { rest }: StoredJob): readonly Gate[] {
  return (rest.gates ?? []).filter((gate) => roomAt(gateState(store, gate.key), gate, store.now) <= 0)
}

/** Takes all gates of a job that is being claimed. */
export function takeGates(store: Store, { id, rest }: StoredJob): void {
  for (const gate of rest.gates ?? []) {
    const state = stateOf(store, gate.key)
    if (store.db.run(addHold, gate.key, id) > 0) state.used++
    if (gate.rate !== undefined) state.fullAt = takeToken(gate.rate, state.fullAt, store.now)
    save(store, state)
  }
}

/** Frees what a job held, and offers each slot. */
export function freeGates(store: Store, { id, rest }: StoredJob): void {
  for (const gate of rest.gates ?? []) {
    if (store.db.run(dropHold, gate.key, id) === 0) continue
    const state = stateOf(store, gate.key)
    state.used--
    save(store, state)
    offer(store, state, 1)
    forgetIfIdle(store, state)
  }
}

/** Lays a ready job to sleep at a shut gate, until that is offered to it. The offers it had go to the next ones. */
export function setAside(store: Store, job: StoredJob, shut: Gate): void {
  const { queue, rest } = job
  const state = stateOf(store, shut.key)
  store.db.run(dropReady, queue.n, job.priority, job.seq)
  const { offeredBy } = rest
  rest.offeredBy = undefined
  rest.asideAt = shut.key
  saveJob(store, job)
  if (store.db.get(readLine, shut.key, queue.n) === undefined) store.db.run(addLine, shut.key, queue.n, ++state.turn)
  store.db.run(addSleeper, shut.key, queue.n, limitsOf(shut), job.priority, job.seq, job.id)
  planOpening(store, state, queue.n)
  save(store, state)
  if (offeredBy !== undefined) takeBackOffer(store, offeredBy, queue)
  passOn(store, job)
}

/** The job does not use what it may have been offered: of its gates that are open, the next ones get it. */
export function passOn(store: Store, { rest }: StoredJob): void {
  for (const gate of rest.gates ?? []) {
    const state = gateState(store, gate.key)
    if (state !== undefined && hasLines(store, gate.key) && roomAt(state, gate, store.now) > 0) offer(store, state, 1)
  }
}

/** A ready job leaves its phase, claimed or not: it sleeps nowhere and is offered nothing any more. */
export function leaveReady(store: Store, job: StoredJob, claimed: boolean): void {
  const { rest } = job
  if (rest.asideAt !== undefined) {
    wakeSleeper(store, rest.asideAt, job)
    forgetIfEmpty(store, rest.asideAt, job.queue.n)
    rest.asideAt = undefined
  }
  const { offeredBy } = rest
  if (offeredBy === undefined) return
  rest.offeredBy = undefined
  takeBackOffer(store, offeredBy, job.queue)
  const state = stateOf(store, offeredBy)
  if (!claimed) offer(store, state, 1)
  forgetIfIdle(store, state)
}

/** Offers what time has opened. */
export function offerDue(store: Store): void {
  for (const row of store.db.all(dueGates, store.now)) {
    const state = openGate(row)
    state.wakeAt = null
    save(store, state)
    offerRoom(store, state)
  }
}

const gatesPerLook = 500

/** Looks at every gate where somebody sleeps, some at each call: nobody stays asleep because of a queue that does not claim what it is offered. Whether there may be any. */
export function offerAll(store: Store): boolean {
  const hasBegun = store.lookedAtGate !== ''
  const gates = store.db.all(gatesWithLines, store.lookedAtGate, gatesPerLook)
  store.lookedAtGate = gates.length < gatesPerLook ? '' : gates.at(-1)!.gate
  for (const { gate } of gates) offerRoom(store, stateOf(store, gate))
  return hasBegun || gates.length > 0
}

/** Forgets gates of which nothing is left but a bucket that has filled up again. */
export function sweepGates(store: Store, limit: number): void {
  for (const { key } of store.db.all(idleGates, store.now, limit)) store.db.run(dropGate, key)
}

/** Offers as many slots as there are. */
function offerRoom(store: Store, state: GateState): void {
  const lines = store.db.all(readLines, state.key)
  let room = 0
  for (const line of lines) room = Math.max(room, Math.min(nextOf(store, state, line)?.room ?? 0, lines.length))
  offer(store, state, Math.max(room, 1))
  forgetIfIdle(store, state)
}

/** Every line that is looked at goes to the end of the rotation. Lines that have what they can use do not count. */
function offer(store: Store, state: GateState, slots: number): void {
  let queues = queuesPerSlot * slots
  for (const line of store.db.all(readLines, state.key)) {
    if (queues <= 0) break
    store.db.run(turnLine, ++state.turn, line.gate, line.queue)
    let next = nextOf(store, state, line)
    if (next !== undefined) {
      queues--
      store.wakes.queue(store.queues.get(line.queue).name)
    }
    for (; next !== undefined; next = nextOf(store, state, line)) {
      line.offered++
      const { job } = next
      wakeSleeper(store, state.key, job)
      job.rest.asideAt = undefined
      job.rest.offeredBy = state.key
      saveJob(store, job)
      putReady(store, job)
    }
    store.db.run(saveOffered, line.offered, line.gate, line.queue)
    planOpening(store, state, line.queue)
    save(store, state)
  }
}

/** Whoever sleeps for want of a token is woken when one comes. */
function planOpening(store: Store, state: GateState, queue: number): void {
  for (const limits of limitsIn(store, state.key, queue)) {
    const { rate, limit } = openLimits(limits)
    if (rate === undefined || (limit !== undefined && state.used >= limit)) continue
    const at = nextTokenAt(rate, state.fullAt, store.now)
    if (state.wakeAt === null || state.wakeAt > at) state.wakeAt = at
  }
}

/** The oldest sleeper of the line for whom there is room beside those already offered. */
function nextOf(store: Store, state: GateState, line: Line): { job: StoredJob; room: number } | undefined {
  let oldest: (Sleeper & { room: number }) | undefined
  for (const limits of limitsIn(store, line.gate, line.queue)) {
    const room = roomAt(state, { key: state.key, ...openLimits(limits) }, store.now) - line.offered
    if (room <= 0) continue
    const first = store.db.get(firstSleeper, line.gate, line.queue, limits)!
    if (oldest === undefined || comparePlaces(first, oldest) < 0) oldest = { ...first, room }
  }
  return oldest && { job: loadJob(store, oldest.id)!, room: oldest.room }
}

/** The order in which the ready jobs of one queue are claimed. */
function comparePlaces(a: Sleeper, b: Sleeper): number {
  return a.priority - b.priority || a.seq - b.seq
}

/** The different limits under which jobs of this line sleep: one, as a rule. */
function* limitsIn(store: Store, gate: string, queue: number): Generator<string, undefined> {
  let next = store.db.get(nextLimits, gate, queue, '')
  for (; next !== undefined; next = store.db.get(nextLimits, gate, queue, next.limits)) yield next.limits
  return undefined
}

/** Takes a sleeper out of its gate; its place in the queue is the caller's affair. */
function wakeSleeper(store: Store, gate: string, job: StoredJob): void {
  const spec = job.rest.gates!.find(({ key }) => key === gate)!
  store.db.run(dropSleeper, gate, job.queue.n, limitsOf(spec), job.priority, job.seq)
}

function takeBackOffer(store: Store, gate: string, queue: Queue): void {
  const line = store.db.get(readLine, gate, queue.n)
  if (line === undefined) return
  store.db.run(saveOffered, line.offered - 1, gate, queue.n)
  forgetIfEmpty(store, gate, queue.n)
}

function forgetIfEmpty(store: Store, gate: string, queue: number): void {
  const line = store.db.get(readLine, gate, queue)
  if (line?.offered !== 0 || store.db.get(nextLimits, gate, queue, '') !== undefined) return
  store.db.run(dropLine, gate, queue)
}

function forgetIfIdle(store: Store, state: GateState): void {
  if (state.used > 0 || state.fullAt > store.now || hasLines(store, state.key)) return
  store.db.run(dropGate, state.key)
}

function hasLines(store: Store, key: string): boolean {
  return store.db.get(anyLine, key) !== undefined
}

function stateOf(store: Store, key: string): GateState {
  return gateState(store, key) ?? { key, used: 0, fullAt: 0, wakeAt: null, turn: 0 }
}

function save(store: Store, { key, used, fullAt, wakeAt, turn }: GateState): void {
  store.db.run(writeGate, key, used, fullAt, wakeAt, turn)
}

/** Jobs with equal limits stand in one list, since they wake together. */
function limitsOf({ limit, rate }: Gate): string {
  return `${limit ?? ''}/${rate?.max ?? ''}/${rate?.per ?? ''}`
}

function openLimits(limits: string): Pick<Gate, 'limit' | 'rate'> {
  const [limit, max, per] = limits.split('/')
  return {
    ...(limit === '' ? {} : { limit: Number(limit) }),
    ...(max === '' ? {} : { rate: { max: Number(max), per: Number(per) } }),
  }
}
