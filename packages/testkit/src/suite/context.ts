import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type {
  ApplyOutcome,
  CreateOutcome,
  JobId,
  JobStorage,
  JobView,
  Ms,
  NewJob,
  Phase,
  Session,
  StateRecord,
  Transition,
} from '@q/core/storage'
import type { ChildStorage } from '../faults/child.ts'
import { openChild } from '../faults/child.ts'
import type { Line } from '../faults/line.ts'
import { lineOverProxy, lineOverWrapper } from '../faults/line.ts'
import { mail, newId } from './records.ts'
import type { ScratchStorage } from './scratch.ts'
import { TestWorker } from './worker.ts'

/** Long enough that no session of the suite is ever lost by accident. */
export const farMs = 600_000
const pollMs = 4

export interface SuiteOptions {
  /** `full`: the sizes the contract speaks of (up to a million jobs). Default: small ones, or full with Q_FULL=1. */
  readonly sizes?: 'small' | 'full' | undefined
}

interface WorkerOptions {
  readonly storage?: JobStorage | undefined
  readonly ttl?: Ms | undefined
  readonly server?: string | undefined
  readonly queues?: readonly string[] | undefined
  readonly replaces?: string | undefined
}

/** What the body of a case is given: a storage of its own, and words to say what happens to it. */
export class CaseContext implements AsyncDisposable {
  readonly storage: JobStorage
  readonly scratch: ScratchStorage
  readonly full: boolean
  readonly #opened: AsyncDisposable[] = []
  #watch: TestWorker | undefined
  #lastLook: Promise<unknown> = Promise.resolve()

  constructor(scratch: ScratchStorage, options: SuiteOptions = {}) {
    this.scratch = scratch
    this.storage = scratch.storage
    this.full = (options.sizes ?? (process.env['Q_FULL'] === '1' ? 'full' : 'small')) === 'full'
  }

  /** How many: enough to mean something, or what the contract says with full sizes. */
  size(small: number, full: number): number {
    return this.full ? full : small
  }

  /** An independent instance on the same data; the same one where a storage cannot have two. */
  another(): JobStorage {
    return this.scratch.another === undefined ? this.storage : this.#own(this.scratch.another())
  }

  elsewhere(): JobStorage {
    return this.#own(this.scratch.elsewhere())
  }

  /** Lines to the storage that lose, hold and cut what is sent: one made of calls, one of bytes where there is a network. */
  async lines(): Promise<readonly Line[]> {
    const lines = [lineOverWrapper(this.storage)]
    if (this.scratch.network) lines.push(await lineOverProxy(this.scratch.network))
    this.#opened.push(...lines)
    return lines
  }

  /** The same data in a process of its own, or null where a storage lives in one process only. */
  async child(options: { readonly clockShiftMs?: Ms } = {}): Promise<ChildStorage | null> {
    return this.scratch.child === undefined ? null : this.#own(await openChild(this.scratch.child, options))
  }

  own(opened: AsyncDisposable): void {
    this.#opened.push(opened)
  }

  // Jobs

  /** Creates them all, in calls as large as the storage takes. */
  async create(list: readonly NewJob[], storage: JobStorage = this.storage): Promise<readonly JobId[]> {
    const outcomes = await this.tryCreate(list, storage)
    for (const [index, outcome] of outcomes.entries()) {
      assert.equal(outcome.ok, 'created', `job ${index}: ${JSON.stringify(outcome)}`)
    }
    return list.map(({ id }) => id)
  }

  async tryCreate(list: readonly NewJob[], storage: JobStorage = this.storage): Promise<CreateOutcome[]> {
    const outcomes: CreateOutcome[] = []
    for (const part of chunks(list, storage.capabilities.maxBatch)) outcomes.push(...(await storage.jobs.create(part)))
    return outcomes
  }

  /** One job, created; its record and its id. */
  async created(made: NewJob): Promise<JobId> {
    const [id] = await this.create([made])
    return id!
  }

  async apply(...list: readonly Transition[]): Promise<ApplyOutcome[]> {
    return this.storage.jobs.apply(list)
  }

  async applyOne(transition: Transition): Promise<ApplyOutcome> {
    const [outcome] = await this.storage.jobs.apply([transition])
    assert.ok(outcome, 'every command is answered')
    return outcome
  }

  // Workers

  async worker(options: WorkerOptions = {}): Promise<TestWorker> {
    const { storage = this.storage, ttl = farMs, server = 'server-1', queues = [mail], replaces } = options
    const session: Session = { id: newId(), server, ttl, info: '{}', replaces }
    await storage.work.open(session)
    return new TestWorker(storage, session.id, queues)
  }

  /** Recovers until this session is gone. Only for sessions with a short ttl. */
  async bury(worker: TestWorker, storage: JobStorage = this.storage): Promise<readonly JobId[]> {
    const recovered: JobId[] = []
    await this.until(`session ${worker.session} is recovered`, async () => {
      const found = await storage.upkeep.recover(500)
      recovered.push(...found.jobs)
      return found.sessions.includes(worker.session)
    })
    return recovered
  }

  /** Promotes until nothing more is to be done now. */
  async settle(storage: JobStorage = this.storage, limit = 500): Promise<number> {
    let moved = 0
    for (;;) {
      const step = await storage.upkeep.promote(limit)
      moved += step.moved
      if (!step.again) return moved
    }
  }

  async sweepAll(): Promise<number> {
    let removed = 0
    for (;;) {
      const step = await this.storage.upkeep.sweep(500)
      removed += step.removed
      if (!step.again) return removed
    }
  }

  // Looking

  async view(id: JobId): Promise<JobView> {
    const [view] = await this.storage.monitor.get([id])
    assert.ok(view, `job ${id} should be there`)
    return view
  }

  async views(ids: readonly JobId[]): Promise<(JobView | null)[]> {
    const all: (JobView | null)[] = []
    for (const part of chunks(ids, 200)) all.push(...(await this.storage.monitor.get(part)))
    return all
  }

  async phase(id: JobId): Promise<Phase | null> {
    const [view] = await this.storage.monitor.get([id])
    return view?.state.phase ?? null
  }

  async phases(ids: readonly JobId[]): Promise<(Phase | null)[]> {
    return (await this.views(ids)).map((view) => view?.state.phase ?? null)
  }

  async history(id: JobId): Promise<readonly StateRecord[]> {
    return this.storage.monitor.history(id)
  }

  // Time

  /** The storage's clock. */
  async now(): Promise<Ms> {
    // One call of a session at a time: cases ask this from many workers at once.
    const look = this.#lastLook.then(async () => {
      this.#watch ??= await this.worker({ server: 'watch', queues: [] })
      return (await this.#watch.exchange()).now
    })
    this.#lastLook = look.catch(() => undefined)
    return look
  }

  /** Lets storage time pass: by telling the clock, or by watching it. */
  async elapse(ms: Ms): Promise<void> {
    if (this.scratch.clock) return void (await this.scratch.clock.advance(ms))
    const from = await this.now()
    await this.until(`${ms} ms have passed`, async () => (await this.now()) >= from + ms, ms + 10_000)
  }

  /** Asks again until the answer is neither false, null nor undefined; gives up after a while, saying what did not happen. */
  async until<T>(
    what: string,
    probe: () => Promise<T | false | null | undefined>,
    withinMs: Ms = 10_000,
  ): Promise<T & {}> {
    const deadline = performance.now() + withinMs
    for (let waited = 0; ; waited += pollMs) {
      const found = await probe()
      if (found !== false && found !== null && found !== undefined) return found as T & {}
      if (this.scratch.clock ? waited >= withinMs : performance.now() > deadline) {
        assert.fail(`did not happen within ${withinMs} ms: ${what}`)
      }
      if (this.scratch.clock) await this.scratch.clock.advance(pollMs)
      await pause(this.scratch.clock ? 0 : pollMs)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opened of this.#opened.toReversed()) await opened[Symbol.asyncDispose]()
    await this.storage.close()
    await this.scratch.dispose()
  }

  #own<T extends AsyncDisposable>(opened: T): T {
    this.#opened.push(opened)
    return opened
  }
}

export function* chunks<T>(list: readonly T[], size: number): Generator<T[]> {
  for (let from = 0; from < list.length; from += size) yield list.slice(from, from + size)
}
