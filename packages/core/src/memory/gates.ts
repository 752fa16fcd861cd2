import type { Gate, Ms } from '../storage/job.ts'
import type { Rules } from './rules.ts'
import { DueHeap } from './due-heap.ts'
import { type StoredJob, comparePlaces, rareOf } from './job.ts'
import { type QueueLine, type QueueState, newQueueLine } from './queue.ts'
import { nextTokenAt, takeToken, tokensLeft } from '../storage/rate.ts'

export interface GateState {
  readonly key: string
  readonly holders: Set<StoredJob>
  /** Who sleeps here, a line for each queue; the first one is next in rotation. */
  readonly lines: Map<QueueState, GateLine>
  /** Of its token bucket. */
  fullAt: Ms
  /** When a token comes for those who sleep here. */
  wakeAt: Ms | undefined
}

/** The sleepers of one queue at one gate. Those with equal limits stand in one list, since they wake together. */
export interface GateLine {
  readonly gate: GateState
  readonly queue: QueueState
  readonly byLimit: Map<string, QueueLine>
  /** Put back in their queue, and not yet claimed, set aside or ended. */
  offered: number
}

/** For each freed slot: so that a thousand queues waiting for one slot are not all woken for it. */
const queuesPerSlot = 8

/**
 * Limits shared between jobs. A job that finds a gate shut sleeps there, out of the way of its queue; when the gate has
 * room the oldest sleepers are offered: put back at their places, to be claimed like any other.
 */
export class Gates {
  readonly #rules: Rules
  readonly #gates = new Map<string, GateState>()
  readonly #opening = new DueHeap<GateState>((gate, at) => gate.wakeAt === at)
  readonly #onOffer: (queue: QueueState) => void

  /** `onOffer` hears of every queue in which a sleeper was put back. */
  constructor(rules: Rules, onOffer: (queue: QueueState) => void) {
    this.#rules = rules
    this.#onOffer = onOffer
  }

  get(key: string): GateState | undefined {
    return this.#gates.get(key)
  }

  /** When time alone opens a gate at which somebody sleeps. */
  nextOpening(): Ms | undefined {
    return this.#opening.nextAt()
  }

  shutFor(job: StoredJob, now: Ms): readonly Gate[] {
    return (job.rare?.gates ?? []).filter((gate) => roomAt(this.#gates.get(gate.key), gate, now) <= 0)
  }

  /** Takes all gates of a job that is being claimed. */
  take(job: StoredJob, now: Ms): void {
    for (const gate of job.rare?.gates ?? []) {
      const state = this.#stateOf(gate.key)
      state.holders.add(job)
      if (gate.rate !== undefined) state.fullAt = takeToken(gate.rate, state.fullAt, now)
    }
  }

  /** Frees what a job held, and offers each slot. */
  free(job: StoredJob, now: Ms): void {
    for (const gate of job.rare?.gates ?? []) {
      const state = this.#gates.get(gate.key)
      if (state === undefined || !state.holders.delete(job)) continue
      this.#offer(state, 1, now)
      this.#forgetIfIdle(state, now)
    }
  }

  /** Lays a ready job to sleep at a shut gate, until that is offered to it. The offers it had go to the next ones. */
  setAside(job: StoredJob, shut: Gate, now: Ms): void {
    const { queue } = job.lane
    const rare = rareOf(job)
    const gate = this.#stateOf(shut.key)
    queue.ready.delete(job)
    queue.aside.add(job)
    const offeredBy = rare.offeredBy
    rare.offeredBy = undefined
    rare.asideAt = gate
    const line = lineOf(gate, queue)
    const limits = limitsOf(shut)
    let sleepers = line.byLimit.get(limits)
    if (sleepers === undefined) line.byLimit.set(limits, (sleepers = newQueueLine()))
    sleepers.add(job)
    if (shut.rate !== undefined) queue.awaitingTokens++
    this.#planOpening(line, now)
    if (offeredBy !== undefined) {
      offeredBy.offered--
      forgetIfEmpty(offeredBy)
    }
    this.passOn(job, now)
  }

  /** The job does not use what it may have been offered: of its gates that are open, the next ones get it. */
  passOn(job: StoredJob, now: Ms): void {
    for (const gate of job.rare?.gates ?? []) {
      const state = this.#gates.get(gate.key)
      if (state !== undefined && state.lines.size > 0 && roomAt(state, gate, now) > 0) this.#offer(state, 1, now)
    }
  }

  /** A ready job leaves its phase, claimed or not: it sleeps nowhere and is offered nothing any more. */
  leaveReady(job: StoredJob, claimed: boolean, now: Ms): void {
    const rare = job.rare!
    if (rare.asideAt !== undefined) this.#wake(job)
    const line = rare.offeredBy
    if (line === undefined) return
    if (!claimed && !this.#rules.endedWaiterWakesTheNext) return
    rare.offeredBy = undefined
    line.offered--
    forgetIfEmpty(line)
    if (!claimed) this.#offer(line.gate, 1, now)
    this.#forgetIfIdle(line.gate, now)
  }

  /** Offers what time has opened. */
  offerDue(now: Ms): void {
    for (let gate = this.#opening.popDue(now); gate !== undefined; gate = this.#opening.popDue(now)) {
      gate.wakeAt = undefined
      this.#offerRoom(gate, now)
    }
  }

  /** Looks at every gate where somebody sleeps: nobody stays asleep because of a queue that does not claim what it is offered. */
  offerAll(now: Ms): void {
    for (const gate of this.#gates.values()) if (gate.lines.size > 0) this.#offerRoom(gate, now)
  }

  /** Forgets gates of which nothing is left but a bucket that has filled up again. */
  sweep(now: Ms): void {
    for (const gate of this.#gates.values()) this.#forgetIfIdle(gate, now)
  }

  /** Offers as many slots as there are. */
  #offerRoom(gate: GateState, now: Ms): void {
    let room = 0
    for (const line of gate.lines.values()) {
      room = Math.max(room, Math.min(nextOf(line, now)?.room ?? 0, gate.lines.size))
    }
    this.#offer(gate, Math.max(room, 1), now)
    this.#forgetIfIdle(gate, now)
  }

  /** Every line that is looked at goes to the end of the rotation. Lines that have what they can use do not count. */
  #offer(gate: GateState, slots: number, now: Ms): void {
    let queues = queuesPerSlot * slots
    for (let visits = gate.lines.size; visits > 0 && queues > 0; visits--) {
      const line = gate.lines.values().next().value!
      gate.lines.delete(line.queue)
      gate.lines.set(line.queue, line)
      let next = nextOf(line, now)
      if (next !== undefined) {
        queues--
        this.#onOffer(line.queue)
      }
      for (; next !== undefined; next = nextOf(line, now)) {
        line.offered++
        this.#wake(next.job)
        next.job.rare!.offeredBy = line
        line.queue.ready.add(next.job)
      }
      this.#planOpening(line, now)
    }
  }

  /** Whoever sleeps for want of a token is woken when one comes. */
  #planOpening({ gate, byLimit }: GateLine, now: Ms): void {
    for (const sleepers of byLimit.values()) {
      const { rate, limit } = gateSpec(sleepers.first()!, gate)
      if (rate === undefined || (limit !== undefined && gate.holders.size >= limit)) continue
      this.#wakeAt(gate, nextTokenAt(rate, gate.fullAt, now))
    }
  }

  /** Takes a sleeper out of its gate; its place in the queue is the caller's affair. */
  #wake(job: StoredJob): void {
    const rare = job.rare!
    const gate = rare.asideAt!
    const line = gate.lines.get(job.lane.queue)!
    const spec = gateSpec(job, gate)
    const limits = limitsOf(spec)
    const sleepers = line.byLimit.get(limits)!
    sleepers.delete(job)
    if (sleepers.size === 0) line.byLimit.delete(limits)
    if (spec.rate !== undefined) job.lane.queue.awaitingTokens--
    job.lane.queue.aside.delete(job)
    rare.asideAt = undefined
    forgetIfEmpty(line)
  }

  #wakeAt(gate: GateState, at: Ms): void {
    if (gate.wakeAt !== undefined && gate.wakeAt <= at) return
    if (gate.wakeAt !== undefined) this.#opening.forget()
    gate.wakeAt = at
    this.#opening.push(at, gate)
  }

  #stateOf(key: string): GateState {
    let gate = this.#gates.get(key)
    if (gate === undefined) {
      gate = { key, holders: new Set(), lines: new Map(), fullAt: 0, wakeAt: undefined }
      this.#gates.set(key, gate)
    }
    return gate
  }

  #forgetIfIdle(gate: GateState, now: Ms): void {
    if (gate.holders.size > 0 || gate.lines.size > 0 || gate.fullAt > now) return
    if (gate.wakeAt !== undefined) this.#opening.forget()
    gate.wakeAt = undefined
    this.#gates.delete(gate.key)
  }
}

/** How many more jobs with these limits the gate lets in now. */
export function roomAt(state: GateState | undefined, gate: Gate, now: Ms): number {
  const slots = gate.limit === undefined ? Infinity : gate.limit - (state?.holders.size ?? 0)
  const tokens = gate.rate === undefined ? Infinity : tokensLeft(gate.rate, state?.fullAt ?? 0, now)
  return Math.min(slots, tokens)
}

/** The oldest sleeper of the line for whom there is room beside those already offered. */
function nextOf(line: GateLine, now: Ms): { job: StoredJob; room: number } | undefined {
  let oldest: { job: StoredJob; room: number } | undefined
  for (const sleepers of line.byLimit.values()) {
    const job = sleepers.first()!
    const room = roomAt(line.gate, gateSpec(job, line.gate), now) - line.offered
    if (room > 0 && (oldest === undefined || comparePlaces(job, oldest.job) < 0)) oldest = { job, room }
  }
  return oldest
}

function lineOf(gate: GateState, queue: QueueState): GateLine {
  let line = gate.lines.get(queue)
  if (line === undefined) gate.lines.set(queue, (line = { gate, queue, byLimit: new Map(), offered: 0 }))
  return line
}

function forgetIfEmpty(line: GateLine): void {
  if (line.byLimit.size === 0 && line.offered === 0) line.gate.lines.delete(line.queue)
}

/** What this job asks of the gate it sleeps at. */
function gateSpec(job: StoredJob, gate: GateState): Gate {
  return job.rare!.gates!.find((candidate) => candidate.key === gate.key)!
}

function limitsOf(gate: Gate): string {
  return `${gate.limit ?? ''}/${gate.rate?.max ?? ''}/${gate.rate?.per ?? ''}`
}
