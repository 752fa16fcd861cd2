import type { Timer } from '../clock.ts'
import { QError, isQError } from '../errors.ts'
import { sleep } from '../clock.ts'
import { jittered } from '../storage-calls/persist.ts'
import { deleted } from '../states/deleted.ts'
import { encodeState } from '../states/encode-state.ts'
import { failed } from '../states/failed.ts'
import { scheduled } from '../states/scheduled.ts'
import { transitionTo } from '../states/define-state.ts'
import type { SessionId, StateInput } from '../storage/job.ts'
import type { ApplyOutcome, Transition } from '../storage/jobs.ts'
import type { Claim, ClaimedJob, Exchange, ExchangeResult, Note, Signals } from '../storage/work.ts'
import { endTransition } from './end-transition.ts'
import type { FilterSet } from '../filters/filter-set.ts'
import type { RegisteredJob } from './job-registry.ts'
import type { RunEnd } from './perform.ts'
import { perform } from './perform.ts'
import type { QueueList } from './queue-list.ts'
import { Run } from './run.ts'
import type { ServerCore } from './server-core.ts'
import type { ServerSession } from './session.ts'

/** An end that is on its way to the storage. */
interface Ending {
  readonly run: Run | null
  readonly change: Transition
}

/** What a run had to say, on its way to the storage. */
interface Noted {
  readonly run: Run
  readonly note: Note
}

/** An exchange that was not answered yet, or of which nobody knows what became. */
interface Call {
  readonly session: SessionId
  /** How many jobs it may bring. */
  asked: number
  hasNotes: boolean
}

export interface WorkerEvents {
  /** The reply said when something may become due. */
  onDue(inMs: number): void
  /** A new queue name appeared. */
  onNames(): void
  /** The configuration of a queue changed. */
  onQueues(): void
  /** The session is gone, and all claims with it. */
  onLost(): void
}

const mostCallsInTurn = 8
const processing: StateInput = { name: 'processing', phase: 'active' }
/** Progress and log lines of running jobs wait this long for company. */
const noteEveryMs = 100
/** With work at hand, ends may wait this long to travel together. */
const lingerMs = 2
/** Handlers quicker than this are worth claiming ahead for: what they do in so much time, and at most so many jobs. */
const [quickRunMs, aheadMs, mostAhead] = [50, 200, 400]
const mostBackoffMs = 5000
/** Where hints tell of work, an idle worker still looks for itself, and with that renews the lease before a heartbeat would be due. */
const [leastPollMs, mostPollMs] = [6500, 7300]
/** Where nothing tells of work. */
const unheardPollMs = 1000
/** Looks without a find before the looks become rarer. */
const mostBarren = 4
/** A job whose former run has not ended here yet is looked at again after this. */
const formerRunDelayMs = 1000

/**
 * Keeps its slots full: what is finished goes out, what is next comes in, in one call. Ends that come while one is under
 * way travel with the next; where the storage allows it, and there are enough of them, that one goes out at once.
 */
export class Worker {
  readonly #core: ServerCore
  readonly #session: ServerSession
  readonly #queues: QueueList
  readonly #events: WorkerEvents

  /** Handlers that have not settled, by job: one that is claimed again meanwhile is not run beside it. The slots in use. */
  readonly #runs = new Map<string, Run>()
  #isFilling = false
  /** Claimed ahead, not started. */
  #backlog: ClaimedJob[] = []
  #endings: Ending[] = []
  readonly #noted = new Set<Run>()
  /** How many jobs of each queue are here, where queues have shares. */
  readonly #held = new Map<string, number>()

  #stopSignal = new AbortController()
  #isClaiming = true
  #mayFind = true
  #wantsSignals = false
  #wakes = 0
  /** Calls made without a turn of the event loop between them. */
  #callsInTurn = 0
  /** Claims in a row that found nothing although there was more: looked for again less and less eagerly. */
  #barren = 0
  /** When to say again which parked jobs this server could run. */
  #adoptAt = 0
  /** In the order they were sent. */
  readonly #underWay = new Set<Call>()
  /** Calls that failed are seen to one after another, in this order too. */
  #recovery: Promise<void> = Promise.resolve()
  #troubles = 0
  #isScheduled = false
  #poll: Timer | null = null
  #noteTimer: Timer | null = null
  #linger: Timer | null = null
  #idle: (() => void)[] = []
  #onSilence: () => void = () => undefined
  #names = -1
  #queueVersion = -1

  /** Runs that ended since the last call, how many usually do, and how long the handlers take: decides how far ahead to claim. */
  #finished = 0
  #pace = 0
  #runMs = 0
  #failures = 0

  constructor(core: ServerCore, session: ServerSession, queues: QueueList, events: WorkerEvents) {
    this.#core = core
    this.#session = session
    this.#queues = queues
    this.#events = events
  }

  get running(): number {
    return this.#runs.size
  }

  get waiting(): number {
    return this.#backlog.length
  }

  /** Something may be claimable. */
  wake = (): void => {
    this.#wakes++
    this.#mayFind = true
    this.#pump()
  }

  /** A wish for one of the running jobs may have come: ask, also when all slots are taken. */
  readonly askForSignals = (): void => {
    this.#wantsSignals = true
    this.#pump()
  }

  start(): void {
    this.#isClaiming = true
    this.#pump()
  }

  /** Claims nothing any more, and hands back what was claimed ahead. */
  quiet(): void {
    this.#isClaiming = false
    this.#poll?.cancel()
    this.handBackWaiting(() => true)
  }

  /** Hands unstarted jobs back to their places, for instance of a queue that was paused. */
  handBackWaiting(which: (job: ClaimedJob) => boolean): void {
    const back = this.#backlog.filter(which)
    if (back.length === 0) return
    this.#backlog = this.#backlog.filter((job) => !which(job))
    for (const job of back) this.#handBack(job)
  }

  /** Resolves when no handler runs and no end waits, or when the signal aborts. */
  async drained(signal: AbortSignal): Promise<void> {
    if (this.#isEmpty()) return
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
      if (signal.aborted) resolve()
    })
  }

  /** Tells every handler to stop. */
  stopRuns(cause: 'stopping' | 'lost'): void {
    for (const run of this.#runs.values()) run.stop(cause)
  }

  /** No call is made any more. */
  async close(): Promise<void> {
    this.#stopSignal.abort()
    this.#poll?.cancel()
    this.#noteTimer?.cancel()
    this.#linger?.cancel()
    if (this.#underWay.size > 0) await new Promise<void>((resolve) => (this.#onSilence = resolve))
  }

  /** The claims are gone: everything here is void. Slots stay taken until their handlers have really ended. */
  voidAll(): void {
    this.stopRuns('lost')
    for (const job of this.#backlog) this.#count(job.queue, -1)
    this.#backlog = []
    this.#endings = []
    this.#noted.clear()
    this.#mayFind = true
    this.#adoptAt = 0
    this.#settle()
  }

  // --- the call

  #pump(): void {
    if (this.#isScheduled || !this.#mayCall() || !this.#hasReason()) return
    if (this.#shouldLinger()) {
      this.#linger ??= this.#core.clock.timer(lingerMs, () => {
        this.#linger = null
        this.#go()
      })
      return
    }
    this.#go()
  }

  #go(): void {
    if (this.#isScheduled || !this.#mayCall()) return
    this.#isScheduled = true
    // After this turn of the event loop: all handlers that are ending now go out together.
    this.#core.clock.soon(() => {
      this.#isScheduled = false
      if (this.#mayCall() && this.#hasReason()) this.#call()
    })
  }

  #mayCall(): boolean {
    if (this.#stopSignal.signal.aborted || !this.#session.isOpen) return false
    return this.#underWay.size === 0 || this.#mayOverlap()
  }

  /**
   * Another call before the former was answered: the storage has work while the answer is read. Not where an answer is
   * needed first: the notes of a run have to arrive before its end, shares of queues are kept by what is here, and after
   * trouble it has to be known what became of the calls.
   */
  #mayOverlap(): boolean {
    if (this.#underWay.size >= (this.#core.storage.capabilities.callsInFlight ?? 1)) return false
    if (!this.#isFull() || this.#noted.size > 0 || !this.#queues.isPlain || this.#troubles > 0) return false
    for (const { session, hasNotes } of this.#underWay) if (hasNotes || session !== this.#session.id) return false
    return true
  }

  /** The ends that wait are worth a call of their own. */
  #isFull(): boolean {
    const { concurrency } = this.#core
    return this.#endings.length >= Math.min(concurrency, Math.max(10, concurrency / 2))
  }

  #call(): void {
    this.#linger?.cancel()
    this.#linger = null
    const call: Call = { session: this.#session.id, asked: 0, hasNotes: false }
    this.#underWay.add(call)
    void this.#exchange(call).then(() => {
      this.#underWay.delete(call)
      if (this.#underWay.size === 0) this.#onSilence()
      // With jobs at hand the next call goes out before they run: the storage works while the handlers do.
      if (this.#backlog.length > 0 && this.#mayFind && this.#ahead() > 0 && this.#mayCall()) this.#callAgain()
      this.#fillSlots()
      this.#pump()
      this.#settle()
    })
  }

  /** At once, but not for ever: where neither storage nor handlers wait for anything, the rest of the process has its turn too. */
  #callAgain(): void {
    if (this.#callsInTurn++ === 0) this.#core.clock.soon(() => (this.#callsInTurn = 0))
    if (this.#callsInTurn > mostCallsInTurn) this.#go()
    else this.#call()
  }

  #hasReason(): boolean {
    return (
      this.#endings.length > 0 ||
      this.#wantsSignals ||
      (this.#noted.size > 0 && this.#noteTimer === null) ||
      this.#wantsJobs()
    )
  }

  #wantsJobs(): boolean {
    return this.#isClaiming && this.#mayFind && this.#runs.size + this.#backlog.length < this.#core.concurrency
  }

  /** While claimed jobs keep the slots busy, a fuller call costs less and makes nobody wait. */
  #shouldLinger(): boolean {
    return this.#backlog.length > 0 && !this.#isFull() && !this.#wantsJobs()
  }

  async #exchange(underWay: Call): Promise<void> {
    const { storage, clock } = this.#core
    const sent = this.#endings.splice(0, storage.capabilities.maxBatch)
    const notes = this.#takeNotes()
    const claim = this.#claim()
    underWay.hasNotes = notes.length > 0
    underWay.asked = claim === undefined ? 0 : claim.max + (claim.extra ?? 0)
    if (claim === undefined && sent.length === 0 && notes.length === 0 && !this.#wantsSignals) {
      // Every queue has its share: the end of a run makes room.
      this.#mayFind = false
      return
    }
    this.#wantsSignals = false
    const wakes = this.#wakes
    const call: Exchange = {
      session: this.#session.id,
      call: ++this.#session.call,
      apply: sent.map(({ change }) => change),
      notes: notes.length === 0 ? undefined : notes.map(({ note }) => note),
      claim,
    }
    const sentAt = clock.monotonic()
    try {
      const reply = await storage.work.exchange(call)
      underWay.asked = 0
      if (!this.#holds(call.session)) return
      this.#answered(sentAt, reply.now)
      this.#failures = 0
      this.#settleEndings(sent, reply.applied)
      this.#readReply(reply, claim, wakes)
    } catch (error) {
      await this.#inOrder(() => this.#recover(call, sent, notes, error))
    }
  }

  #inOrder(work: () => Promise<void>): Promise<void> {
    this.#troubles++
    this.#recovery = this.#recovery.then(work).finally(() => this.#troubles--)
    return this.#recovery
  }

  async #recover(call: Exchange, sent: readonly Ending[], notes: readonly Noted[], error: unknown): Promise<void> {
    if (!this.#holds(call.session)) return
    if (isQError(error, 'Q_SESSION_LOST')) return this.#events.onLost()
    // A closed call is as unclear as a lost one: a line that sends twice may have been answered for the second time.
    const notApplied = isQError(error, 'Q_STORAGE_UNAVAILABLE')
    if (this.#failures++ === 0) {
      this.#core.logger.warn('a call to the storage failed; it is made again', {
        server: this.#core.name,
        error: String(error),
      })
    }
    await this.#rest()
    this.#takeBack(notes)
    if (notApplied) this.#endings = [...sent, ...this.#endings]
    else await this.#reconcile(call, sent)
    this.#mayFind = true
  }

  /** False once the session was given up: what still comes of its calls is void. */
  #holds(session: string): boolean {
    return this.#session.isOpen && this.#session.id === session
  }

  #rest(): Promise<void> {
    const ms = Math.min(mostBackoffMs, 25 * 2 ** Math.min(this.#failures, 10))
    return sleep(this.#core.clock, jittered(this.#core.clock, ms), this.#stopSignal.signal).catch(() => undefined)
  }

  #answered(sentAt: number, now: number): void {
    this.#session.proven(sentAt)
    this.#session.heardNow(now)
  }

  /** Notes are numbered, so sending them again is harmless, whatever became of the call, and of their runs meanwhile. */
  #takeBack(notes: readonly Noted[]): void {
    for (const { run, note } of notes) {
      run.returnNote(note)
      this.#noted.add(run)
    }
  }

  /** The call may or may not have been applied: it is closed first, then its fate is asked, until there is an answer. */
  async #reconcile(call: Exchange, sent: readonly Ending[]): Promise<void> {
    const { storage, clock } = this.#core
    while (!this.#stopSignal.signal.aborted && this.#holds(call.session)) {
      const sentAt = clock.monotonic()
      try {
        const fate = await storage.work.reconcile(call.session, call.call, call.apply)
        if (!this.#holds(call.session)) return
        this.#answered(sentAt, fate.now)
        this.#failures = 0
        const held = sent.filter((_ending, index) => fate.applied[index]!.ok === 'held')
        this.#endings = [...held, ...this.#endings]
        this.#settleEndings(
          sent.filter((ending) => !held.includes(ending)),
          fate.applied.filter((outcome): outcome is ApplyOutcome => outcome.ok !== 'held'),
        )
        this.#accept(fate.claimed)
        return
      } catch (error) {
        if (!this.#holds(call.session)) return
        if (isQError(error, 'Q_SESSION_LOST')) return this.#events.onLost()
        this.#failures++
        await this.#rest()
      }
    }
  }

  #takeNotes(): Noted[] {
    if (this.#noted.size === 0) return []
    const notes = [...this.#noted].flatMap((run) => {
      const note = run.takeNote()
      return note === null ? [] : [{ run, note }]
    })
    this.#noted.clear()
    return notes
  }

  #claim(): Claim | undefined {
    if (!this.#isClaiming) return undefined
    const free = this.#core.concurrency - this.#runs.size - this.#backlog.length - this.#coming()
    const ahead = this.#ahead()
    if (free <= 0 && ahead <= 0) return undefined
    const queues = this.#queues.claimOrder(this.#held, Math.max(0, free) + ahead)
    if (queues.length === 0) return undefined
    const claim = { max: Math.max(0, free), extra: ahead > 0 ? ahead : undefined, queues, state: processing }
    const now = this.#core.clock.monotonic()
    if (now < this.#adoptAt) return claim
    this.#adoptAt = now + this.#core.heartbeatMs
    return { ...claim, adopt: this.#core.registry.known() }
  }

  /**
   * How many jobs to claim beyond the free slots, while handlers are quick: as many as end during two calls, and no more
   * than are soon done, as nobody else can run them meanwhile. Where calls overlap each brings less: the storage is busy
   * anyway, and a short answer is here before the next call is done.
   */
  #ahead(): number {
    if (!this.#isClaiming || this.#runMs > quickRunMs || this.#pace < 2) return 0
    const { concurrency, storage } = this.#core
    const { maxBatch, callsInFlight = 1 } = storage.capabilities
    const soonDone = (concurrency * aheadMs) / this.#runMs
    const most = Math.ceil(Math.min(maxBatch / 2, mostAhead, soonDone) / callsInFlight)
    return Math.max(0, Math.min(most, this.#pace * 2, most * 2 - this.#backlog.length - this.#coming()))
  }

  /** Jobs that calls under way may bring. */
  #coming(): number {
    let jobs = 0
    for (const { asked } of this.#underWay) jobs += asked
    return jobs
  }

  #settleEndings(sent: readonly Ending[], outcomes: readonly ApplyOutcome[]): void {
    const { logger, name } = this.#core
    for (let index = 0; index < sent.length; index++) {
      const ending = sent[index]!
      const outcome = outcomes[index]!
      switch (outcome.ok) {
        case 'applied':
        case 'already':
          continue
        case 'busy':
          this.#endings.push(ending)
          continue
        case 'stale':
        case 'missing':
          logger.debug('the end of a run was refused: its claim is void', {
            server: name,
            job: ending.change.id,
            outcome: outcome.ok,
          })
          continue
        case 'invalid':
          this.#endings.push(this.#inFewerWords(ending, outcome.reason))
          continue
        case 'signalled':
        case 'refused':
        case 'duplicate':
          logger.error('the storage answered the end of a run in a way that no fenced transition can be answered', {
            server: name,
            job: ending.change.id,
            outcome: outcome.ok,
          })
      }
    }
  }

  /** The storage cannot keep this end as it is; it can keep that it failed, and why. */
  #inFewerWords({ run, change }: Ending, reason: string): Ending {
    this.#core.logger.error('the end of a run could not be stored as it was; the job is failed instead', {
      server: this.#core.name,
      job: change.id,
      reason,
    })
    const error = new QError('Q_NOT_SERIALIZABLE', `The end of job ${change.id} could not be stored: ${reason}.`)
    return {
      run,
      change: {
        id: change.id,
        token: change.token,
        to: encodeState(failed(error), run?.name ?? '', this.#core.wire, () => undefined),
      },
    }
  }

  #readReply(reply: ExchangeResult, claim: Claim | undefined, wakes: number): void {
    this.#pace = Math.max(this.#finished, Math.floor(this.#pace / 2))
    this.#finished = 0
    this.#accept(reply.claimed)
    this.#readSignals(reply.signals)
    if (claim !== undefined) {
      const asked = claim.max + (claim.extra ?? 0)
      const dueMs = reply.nextDue === undefined ? Infinity : this.#session.until(reply.nextDue)
      const isPromised = reply.more || dueMs === 0
      this.#barren = isPromised && reply.claimed.length === 0 && this.#wakes === wakes ? this.#barren + 1 : 0
      this.#mayFind =
        reply.claimed.length >= asked || this.#wakes !== wakes || (reply.more && this.#barren < mostBarren)
      // Looking again at once, for ever, would find nothing any sooner.
      const leastMs = this.#barren < mostBarren ? 1 : Math.min(1000, 2 ** this.#barren)
      if (reply.more && !this.#mayFind) this.#events.onDue(leastMs)
      else if (dueMs !== Infinity) this.#events.onDue(Math.max(leastMs, dueMs))
      // Parked jobs that nobody here knows stay adoptable for ever: only a find is worth asking again at once.
      if (reply.adoptable && claim.adopt !== undefined && reply.claimed.length > 0) this.#adoptAt = 0
    }
    if (reply.names !== this.#names) {
      this.#names = reply.names
      this.#events.onNames()
    }
    this.#pollLater()
  }

  #pollLater(): void {
    this.#poll?.cancel()
    if (!this.#isClaiming || this.#stopSignal.signal.aborted) return
    const { clock, storage } = this.#core
    const pollMs = storage.capabilities.push
      ? leastPollMs + (mostPollMs - leastPollMs) * clock.random()
      : jittered(clock, unheardPollMs)
    this.#poll = clock.timer(pollMs, this.wake)
  }

  // --- what comes in

  #accept(claimed: readonly ClaimedJob[]): void {
    for (const job of claimed) {
      this.#count(job.queue, 1)
      this.#backlog.push(job)
    }
    // The answer to a claim that was on its way when the server began to stop.
    if (!this.#isClaiming) this.handBackWaiting(() => true)
  }

  #fillSlots(): void {
    if (this.#backlog.length === 0) return
    // The answer that brought them was long on its way, or we stood still: they may be others' by now. A call will tell.
    if (this.#session.isStale()) {
      this.#wantsSignals = true
      return
    }
    this.#isFilling = true
    while (this.#backlog.length > 0 && this.#runs.size < this.#core.concurrency) this.#begin(this.#backlog.shift()!)
    this.#isFilling = false
  }

  #begin(job: ClaimedJob): void {
    const known = this.#core.registry.find(job.name, job.version)
    if (known === null) return this.#park(job)
    if (job.busy !== undefined) return this.#endBusy(job, known.definition)
    const former = this.#runs.get(job.id)
    if (former !== undefined) return this.#postpone(job, former)
    const run = new Run(this.#core, job, this.#onNote)
    this.#runs.set(job.id, run)
    const filters = this.#core.filterSets(known.definition)
    run.startedAt = this.#core.clock.monotonic()
    const end = perform(this.#core, known, run, filters)
    if (end instanceof Promise) void this.#endLate(run, known, filters, end)
    else this.#end(run, known, filters, end)
  }

  async #endLate(run: Run, job: RegisteredJob, filters: FilterSet, end: Promise<RunEnd>): Promise<void> {
    this.#end(run, job, filters, await end)
  }

  #end(run: Run, job: RegisteredJob, filters: FilterSet, end: RunEnd): void {
    run.dispose()
    const ranMs = this.#core.clock.monotonic() - run.startedAt
    const change = run.closed ? null : endTransition(this.#core, job, run, filters, end, Math.round(ranMs))
    if (change instanceof Promise) void this.#leaveLate(run, change, ranMs)
    else this.#leave(run, change, ranMs)
  }

  async #leaveLate(run: Run, change: Promise<Transition>, ranMs: number): Promise<void> {
    this.#leave(run, await change, ranMs)
  }

  #leave(run: Run, change: Transition | null, ranMs: number): void {
    if (change !== null && !run.closed) this.#handIn(run, change)
    this.#runMs += (ranMs - this.#runMs) * 0.05
    this.#finished++
    this.#runs.delete(run.id)
    this.#count(run.queue, -1)
    if (!this.#queues.isPlain) this.#mayFind = true
    // A handler that returned at once: whoever is filling the slots goes on with the next.
    if (this.#isFilling) return
    this.#fillSlots()
    this.#pump()
    this.#settle()
  }

  /** The end of a run goes out with the next call, its last notes before it. */
  #handIn(run: Run, change: Transition): void {
    run.closed = true
    this.#endings.push({ run, change })
  }

  readonly #onNote = (run: Run): void => {
    this.#noted.add(run)
    this.#noteTimer ??= this.#core.clock.timer(noteEveryMs, () => {
      this.#noteTimer = null
      this.#pump()
    })
  }

  // --- jobs that are not run here

  #park(job: ClaimedJob): void {
    const wanted = `${job.name}@${job.version}`
    this.#core.logger.warn('a job nobody here knows was handed back, to wait for a server that does', {
      server: this.#core.name,
      job: job.id,
      wanted,
    })
    this.#giveBack(job, {
      to: { name: 'enqueued', phase: 'parked', reason: `no server knows ${wanted}` },
      parkedFor: wanted,
    })
  }

  #handBack(job: ClaimedJob): void {
    this.#giveBack(job, { to: { name: 'enqueued', phase: 'ready', reason: 'handed back before its start' } })
  }

  /** Its former run has not settled. That it was claimed again is news to that run: its own claim is void. */
  #postpone(job: ClaimedJob, former: Run): void {
    if (!former.closed) this.#void(former)
    const state = {
      name: 'scheduled',
      phase: 'scheduled',
      reason: 'its former run on this server has not ended yet',
    } as const
    this.#giveBack(job, { to: state, delay: formerRunDelayMs })
  }

  #giveBack(job: ClaimedJob, change: Omit<Transition, 'id' | 'token'>): void {
    this.#count(job.queue, -1)
    this.#endings.push({ run: null, change: { id: job.id, token: job.token, attempt: 'undo', ...change } })
    this.#pump()
  }

  /** Its limit was taken and it asked to be told: filters say what becomes of it. */
  #endBusy(job: ClaimedJob, definition: RegisteredJob['definition']): void {
    const facts = {
      id: job.id,
      name: job.name,
      queue: job.queue,
      input: this.#core.tryDecode(job.payload),
      tags: job.tags,
      definition,
    }
    const context = { job: facts, key: job.busy!.key, holder: job.busy!.holder ?? null }
    const filters = this.#core.filterSets(definition)
    let state = filters.busy.map((filter) => filter.busy(context)).find((answer) => answer !== undefined)
    state ??= scheduled({ in: '5s' }, 'its limit was taken')
    const to = encodeState(state, job.name, this.#core.wire, () => undefined)
    this.#giveBack(job, { to, ...transitionTo(state) })
  }

  // --- signals

  #readSignals(signals: Signals): void {
    for (const wish of signals.cancel) {
      const run = this.#runs.get(wish.id)
      if (run?.claimed.token === wish.token) this.#stopRun(run, wish)
      else this.#cancelWaiting(wish)
    }
    if (signals.queues !== this.#queueVersion) {
      const isFirst = this.#queueVersion === -1
      this.#queueVersion = signals.queues
      if (!isFirst) this.#events.onQueues()
    }
  }

  readSignals(signals: Signals): void {
    this.#readSignals(signals)
    this.#pump()
  }

  #stopRun(run: Run, { voided, reason, grace }: Signals['cancel'][number]): void {
    if (voided) {
      if (run.stopped !== 'lost') this.#void(run)
      return
    }
    if (run.stopped !== null || run.closed) return
    run.cancelReason = reason
    run.stop('cancel')
    run.graceTimer = this.#core.clock.timer(grace ?? 10_000, () => this.#abandon(run))
  }

  /** The claim was taken away. Naming its token tells the storage that we know. */
  #void(run: Run): void {
    run.stop('lost')
    const to = { name: 'deleted', phase: 'deleted' } as const
    this.#endings.push({ run: null, change: { id: run.id, token: run.claimed.token, to } })
  }

  /** The handler did not stop in time: its run ends without it, and its slot stays taken until it has settled. */
  #abandon(run: Run): void {
    if (run.closed) return
    const state = deleted(run.cancelReason ?? 'cancelled', 'abandoned')
    this.#handIn(run, {
      id: run.id,
      token: run.claimed.token,
      to: encodeState(state, run.name, this.#core.wire, () => undefined),
    })
    this.#pump()
  }

  #cancelWaiting({ id, token, voided, reason }: Signals['cancel'][number]): void {
    const at = this.#backlog.findIndex((job) => job.id === id && job.token === token)
    const isEnding = this.#endings.some(({ change }) => change.id === id && change.token === token)
    if (at < 0 && (isEnding || !voided)) return
    const [job] = at < 0 ? [] : this.#backlog.splice(at, 1)
    if (job !== undefined) this.#count(job.queue, -1)
    this.#endings.push({
      run: null,
      change: {
        id,
        token,
        to: encodeState(deleted(reason ?? 'cancelled'), job?.name ?? '', this.#core.wire, () => undefined),
      },
    })
  }

  // --- counting

  #count(queue: string, by: number): void {
    if (this.#queues.isPlain) return
    const held = (this.#held.get(queue) ?? 0) + by
    if (held > 0) this.#held.set(queue, held)
    else this.#held.delete(queue)
  }

  #isEmpty(): boolean {
    return (
      this.#runs.size === 0 && this.#endings.length === 0 && this.#backlog.length === 0 && this.#underWay.size === 0
    )
  }

  #settle(): void {
    if (this.#idle.length === 0 || !this.#isEmpty()) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}
