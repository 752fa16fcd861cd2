import { isDeepStrictEqual } from 'node:util'
import type {
  ApplyOutcome,
  ClaimedJob,
  CreateOutcome,
  Exchange,
  ExchangeResult,
  JobId,
  JobStorage,
  JobView,
  NewJob,
  QueueConfig,
  Reconciled,
  Recovered,
  RecurringPut,
  RecurringRecord,
  RecurringTick,
  Session,
  Transition,
} from '@q/core/storage'
import { isFinalPhase } from '@q/core/storage'
import { Bucket } from './bucket.ts'
import type { KnownClaim, KnownJob, KnownSession } from './known-job.ts'
import { holdsKey, isFinal, newKnownJob } from './known-job.ts'
import type { Arrival } from './network.ts'
import type { Trace } from './trace.ts'
import { Violation } from './violation.ts'

export interface AuditorOptions {
  readonly storage: JobStorage
  readonly trace: Trace
  /** Time as it truly passes. */
  readonly trueNow: () => number
  /** Called with every session that was given up for lost. */
  readonly onLost: (session: KnownSession, jobs: readonly KnownJob[]) => void
  /** Looks at everything there is. */
  readonly walk: (auditor: Auditor) => Promise<void>
  /** Log lines that the run under this claim wrote. */
  readonly linesOf: (job: KnownJob, claim: KnownClaim) => number
}

const walkEvery = 600

/**
 * Stands between the network and the storage, sees every call and every answer, and keeps its own account of what must
 * follow from them. It knows nothing of how the storage works.
 */
export class Auditor {
  readonly jobs: Map<JobId, KnownJob> = new Map()
  readonly sessions: Map<string, KnownSession> = new Map()
  readonly queues: Map<string, QueueConfig> = new Map()
  readonly schedules: Map<string, RecurringRecord> = new Map()
  readonly tally = { created: 0, ok: 0, failed: 0 }
  readonly #options: AuditorOptions
  readonly #buckets = new Map<string, Bucket>()
  readonly #occurrences = new Set<string>()
  readonly #locks = new Map<string, { owner: string; fence: number; expiresAt: number }>()
  readonly #keyed = new Map<string, Set<KnownJob>>()
  readonly #children = new Map<JobId, Set<KnownJob>>()
  readonly #gated = new Map<string, Set<KnownJob>>()
  /** Fresh plain jobs of one queue and priority, in the order of their creation. */
  readonly #lines = new Map<string, Set<KnownJob>>()
  readonly #movedKeys = new Set<string>()
  readonly #expiring = new Set<KnownJob>()
  #now = 0
  #calls = 0
  #touched = new Set<JobId>()

  constructor(options: AuditorOptions) {
    this.#options = options
  }

  get storage(): JobStorage {
    return this.#options.storage
  }

  /** The storage's clock, at the present call. */
  get now(): number {
    return this.#now
  }

  /** Lets a call through, and checks what became of it. */
  async meet({ process, room, method, args }: Arrival, call: () => Promise<unknown>): Promise<unknown> {
    const { storage, trace, trueNow } = this.#options
    if (isRead(room, method)) return call()
    this.#now = (await storage.recurring.due(0)).now
    const before = this.#mustRefuse(method, args[0]) ? await storage.monitor.changes() : undefined
    let answer: unknown
    try {
      answer = await call()
    } catch (error) {
      const code = String(Reflect.get(Object(error), 'code'))
      trace.add(trueNow(), process.name, `${method} ${code}`)
      if (code !== 'Q_SESSION_LOST' && code !== 'Q_CALL_CLOSED')
        throw new Violation(`${method} failed: ${String(error)}`)
      if (before === undefined) throw new Violation(`${method} was refused (${code}), and there was no reason to`)
      if ((await storage.monitor.changes()) !== before)
        throw new Violation(`a refused ${method} (${code}) changed something`)
      throw error
    }
    this.#see(process.name, method, args, answer)
    await this.#look()
    if (++this.#calls % walkEvery === 0) await this.#options.walk(this)
    return answer
  }

  /** A job that somebody was told is stored. */
  mustKnow(id: JobId): void {
    if (!this.jobs.has(id)) throw new Violation(`job ${id} was accepted, and the storage does not know it`)
  }

  mustNotKnow(id: JobId): void {
    if (this.jobs.has(id)) throw new Violation(`job ${id} was refused, and is stored all the same`)
  }

  /** Those that a command would find in an interesting state: running, or ready and limited. */
  interesting(): readonly KnownJob[] {
    const running = [...this.sessions.values()].flatMap(({ held }) => [...held])
    const limited = [...this.jobs.values()].filter((job) => job.phase === 'ready' && job.spec.gates !== undefined)
    return [...running, ...limited]
  }

  holdersOf(gate: string): readonly KnownJob[] {
    return [...(this.#gated.get(gate) ?? [])]
  }

  keyed(): Iterable<[string, Set<KnownJob>]> {
    return this.#keyed.entries()
  }

  /** A call that comes too late: for its session, or after it was closed. */
  #mustRefuse(method: string, asked: unknown): boolean {
    if (method === 'open') return this.sessions.get((asked as Session).id)?.isOver === true
    if (method !== 'exchange' && method !== 'reconcile') return false
    const session = this.sessions.get(method === 'exchange' ? (asked as Exchange).session : String(asked))
    return (
      session === undefined || session.isOver || (method === 'exchange' && (asked as Exchange).call <= session.lastCall)
    )
  }

  #see(process: string, method: string, args: readonly unknown[], answer: unknown): void {
    const { trace, trueNow } = this.#options
    const note = (what: string): void => trace.add(trueNow(), process, `${method} ${what}`)
    switch (method) {
      case 'create': {
        const [list, outcomes] = [args[0] as readonly NewJob[], answer as readonly CreateOutcome[]]
        note(list.map(({ id }, index) => `${id} ${outcomes[index]!.ok}`).join(' '))
        return this.#created(list, outcomes)
      }
      case 'apply': {
        const [list, outcomes] = [args[0] as readonly Transition[], answer as readonly ApplyOutcome[]]
        note(list.map(({ id, to }, index) => `${id} ${to.name} ${outcomes[index]!.ok}`).join(' '))
        for (const [index, change] of list.entries()) this.#commanded(change, outcomes[index]!)
        return
      }
      case 'open':
        note((args[0] as Session).id)
        return this.#opened(process, args[0] as Session)
      case 'exchange': {
        const [call, reply] = [args[0] as Exchange, answer as ExchangeResult]
        note(
          `${call.call} ${describe(call.apply, reply.applied)} claimed ${reply.claimed.map(({ id }) => id).join(' ')}`,
        )
        return this.#exchanged(call, reply)
      }
      case 'reconcile': {
        const [id, call, list] = args as [string, number, readonly Transition[]]
        const fate = answer as Reconciled
        note(`${call} ${describe(list, fate.applied)} claimed ${fate.claimed.map((job) => job.id).join(' ')}`)
        return this.#reconciled(id, call, list, fate)
      }
      case 'heartbeat': {
        const [id] = args[0] as readonly string[]
        const [{ alive }] = answer as [{ alive: boolean }]
        note(`${alive}`)
        const session = this.sessions.get(id!)!
        if (alive === session.isOver)
          throw new Violation(
            `the heartbeat of a session that is ${session.isOver ? 'over' : 'open'} was answered ${alive}`,
          )
        if (alive) session.heardAt = trueNow()
        return
      }
      case 'end':
        note(String(args[0]))
        return this.#over(this.sessions.get(String(args[0])), 'end')
      case 'recover': {
        const found = answer as Recovered
        if (found.sessions.length > 0) note(`${found.sessions.join(' ')}: ${found.jobs.join(' ')}`)
        return this.#recovered(found)
      }
      case 'promote':
      case 'sweep': {
        const { moved = 0, removed = 0 } = answer as { moved?: number; removed?: number }
        if (moved + removed > 0) note(`${moved + removed}`)
        if (method === 'sweep' || moved > 0) this.#touchWaiting(method === 'sweep')
        return
      }
      case 'put':
        return this.#put(
          args[0] as readonly RecurringPut[],
          answer as readonly { ok: boolean; version: number }[],
          note,
        )
      case 'remove':
        return this.#removed(args[0] as readonly { id: string }[], answer as readonly boolean[], note)
      case 'tick':
        return this.#ticked(args[0] as readonly RecurringTick[], answer as readonly Ticked[], note)
      case 'acquire':
      case 'release':
        note(`${JSON.stringify(args)} ${JSON.stringify(answer)}`)
        return this.#locked(method, args as [string, string], answer)
      case 'set': {
        const [queue, config] = args as [string, QueueConfig]
        note(`${queue} ${JSON.stringify(config)}`)
        this.queues.set(queue, { ...this.queues.get(queue), ...withoutUndefined(config) })
        if (config.rate !== undefined) this.#buckets.delete(`queue ${queue}`)
        return
      }
    }
  }

  // --- creation

  #created(list: readonly NewJob[], outcomes: readonly CreateOutcome[]): void {
    for (const [index, spec] of list.entries()) {
      const outcome = outcomes[index]!
      const present = this.jobs.get(spec.id)
      switch (outcome.ok) {
        case 'created':
          if (present !== undefined) throw new Violation(`job ${spec.id} was created twice`)
          this.#add(spec, outcome.replaced)
          continue
        case 'exists':
          if (present === undefined) throw new Violation(`job ${spec.id} is said to exist, and nobody created it`)
          continue
        case 'duplicate': {
          const holder = this.jobs.get(outcome.holder)
          if (holder === undefined || holder.spec.unique?.key !== spec.unique?.key || !holdsKey(holder, this.now))
            throw new Violation(`job ${spec.id} is no duplicate of ${outcome.holder}, which does not hold its key`)
          continue
        }
        case 'orphan':
          if (this.jobs.get(outcome.missing)?.isGone === false)
            throw new Violation(`parent ${outcome.missing} is there, and ${spec.id} was refused as an orphan`)
          continue
        case 'invalid':
          throw new Violation(`core made a job that cannot be stored: ${outcome.reason}`)
      }
    }
  }

  #add(spec: NewJob, replaced: JobId | undefined): void {
    const job = newKnownJob(spec, this.jobs.size, this.now)
    this.jobs.set(spec.id, job)
    this.tally.created++
    this.#touched.add(spec.id)
    if (replaced !== undefined) this.#touched.add(replaced)
    for (const parent of job.open) {
      addTo(this.#children, parent, job)
      const known = this.jobs.get(parent)
      if (known === undefined || known.isGone) job.open.delete(parent)
      else if (isFinal(known)) this.#parentEnded(known, job)
    }
    if (spec.expires !== undefined) this.#expiring.add(job)
    if (spec.unique !== undefined) addTo(this.#keyed, spec.unique.key, job)
    if (job.isFresh) addTo(this.#lines, lineOf(job), job)
  }

  // --- runs

  #opened(process: string, { id, ttl, replaces }: Session): void {
    const present = this.sessions.get(id)
    if (present?.isOver && this.now - present.overAt < 2 * ttl)
      throw new Violation(`session ${id} was over, and was opened again`)
    if (replaces !== undefined) this.#over(this.sessions.get(replaces), `session ${id}`)
    const heardAt = this.#options.trueNow()
    if (present?.isOver === false) present.heardAt = heardAt
    else this.sessions.set(id, { id, process, ttl, lastCall: 0, heardAt, isOver: false, overAt: 0, held: new Set() })
  }

  #exchanged({ session: id, call, apply, claim }: Exchange, reply: ExchangeResult): void {
    const session = this.#working(id)
    if (call <= session.lastCall)
      throw new Violation(`call ${call} of session ${id} was made after call ${session.lastCall}`)
    session.lastCall = call
    session.heardAt = this.#options.trueNow()
    for (const [index, change] of apply.entries()) this.#ended(session, call, change, reply.applied[index]!)
    const byQueue = new Map<string, number>()
    for (const [index, job] of reply.claimed.entries()) {
      const entry = claim!.queues.find(({ name }) => name === job.queue)
      const taken = (byQueue.get(job.queue) ?? 0) + 1
      byQueue.set(job.queue, taken)
      if (entry === undefined || taken > (entry.max ?? Infinity))
        throw new Violation(`job ${job.id} of queue ${job.queue} was claimed beyond what was asked for`)
      this.#claimed(session, call, job, index >= claim!.max, claim!.adopt)
    }
    if (reply.claimed.length > (claim?.max ?? 0) + (claim?.extra ?? 0))
      throw new Violation(`session ${id} was given more than it asked for`)
  }

  #working(id: string): KnownSession {
    const session = this.sessions.get(id)
    if (session === undefined || session.isOver) throw new Violation(`session ${id} is over, and worked all the same`)
    return session
  }

  /** One end of a run, and what the storage said to it. */
  #ended(session: KnownSession, call: number, change: Transition, outcome: ApplyOutcome): void {
    const job = this.jobs.get(change.id)
    const holds = job?.claim != null && job.claim.token === change.token
    this.#touched.add(change.id)
    if (outcome.ok !== 'applied') {
      for (const { id } of change.create ?? []) this.#touched.add(id)
      if (outcome.ok === 'stale' || outcome.ok === 'missing') {
        if (holds) throw new Violation(`the end of job ${change.id} was refused (${outcome.ok}), and its claim stands`)
        return
      }
      throw new Violation(`the end of job ${change.id} was answered ${JSON.stringify(outcome)}`)
    }
    if (job === undefined || !holds) throw new Violation(`job ${change.id} was ended by a claim that does not hold it`)
    const lines = change.ranMs === undefined ? 0 : this.#options.linesOf(job, job.claim!)
    if (lines > 0) this.#expectLines(job, job.claim!, lines)
    this.#release(job, `${session.id}.${call}`, change.attempt)
    if (change.queue !== undefined) job.queue = change.queue
    if (change.to.phase === 'succeeded') this.tally.ok++
    if (change.to.phase === 'failed') this.tally.failed++
    this.#created(change.create ?? [], outcome.created ?? [])
  }

  readonly #expected: { readonly job: KnownJob; readonly texts: readonly string[] }[] = []

  #expectLines(job: KnownJob, { attempt }: KnownClaim, lines: number): void {
    this.#expected.push({ job, texts: Array.from({ length: lines }, (_, n) => `${attempt}: ${n + 1} of ${lines}`) })
  }

  #claimed(
    session: KnownSession,
    call: number,
    { id, token, attempt, crashes, queue, busy }: ClaimedJob,
    isExtra: boolean,
    adopt: readonly string[] = [],
  ): void {
    const job = this.jobs.get(id)
    if (job === undefined) throw new Violation(`job ${id} was claimed, and nobody created it`)
    const { spec } = job
    if (job.claim !== null)
      throw new Violation(`job ${id} was claimed by ${session.id}, and ${job.claim.session.id} holds it`)
    if (attempt !== job.attempt + 1 || crashes !== job.crashes)
      throw new Violation(
        `job ${id} was claimed for attempt ${attempt} after ${crashes} crashes; it should be ${job.attempt + 1} after ${job.crashes}`,
      )
    if (this.#expiring.has(job) && job.attempt === 0 && job.createdAt + spec.expires! <= this.now)
      throw new Violation(`job ${id} had expired, and was claimed`)
    if (job.phase === 'parked' && !adopt.includes(`${spec.name}@${spec.version}`))
      throw new Violation(`job ${id} was adopted by a server that does not know it`)
    const config = this.queues.get(queue)
    if (config?.paused && (config.paused.until ?? Infinity) > this.now)
      throw new Violation(`job ${id} was claimed from queue ${queue}, which is paused`)
    this.#takeRoom(job, queue, config, busy?.key)
    this.#stepUp(job)
    job.attempt = attempt
    job.queue = queue
    job.phase = 'active'
    job.claim = { token, session, call, attempt, isExtra, isBusy: busy !== undefined, ended: null }
    job.claims.push(job.claim)
    session.held.add(job)
    if (busy === undefined) for (const { key } of spec.gates ?? []) addTo(this.#gated, key, job)
    if (isExtra && (spec.gates !== undefined || config?.maxActive != null || config?.rate != null))
      throw new Violation(`job ${id} is limited, and was claimed ahead`)
    this.#touched.add(id)
  }

  #takeRoom(
    { spec: { id, gates = [] } }: KnownJob,
    queue: string,
    config: QueueConfig | undefined,
    busy: string | undefined,
  ): void {
    const active = [...this.sessions.values()]
      .flatMap(({ held }) => [...held])
      .filter((other) => other.queue === queue).length
    if (config?.maxActive != null && active >= config.maxActive)
      throw new Violation(`job ${id} is one more than the ${config.maxActive} that queue ${queue} may run`)
    if (config?.rate != null) this.#takeToken(`queue ${queue}`, config.rate, id)
    if (busy !== undefined) {
      const gate = gates.find(({ key }) => key === busy)
      if (gate?.limit === undefined || this.holdersOf(busy).length < gate.limit)
        throw new Violation(`job ${id} was told that ${busy} is busy, which it is not`)
      return
    }
    for (const { key, limit, rate } of gates) {
      if (limit !== undefined && this.holdersOf(key).length >= limit)
        throw new Violation(`job ${id} is one more than the ${limit} that ${JSON.stringify(key)} lets in`)
      if (rate !== undefined) this.#takeToken(`gate ${key}`, rate, id)
    }
  }

  #takeToken(key: string, rate: { max: number; per: number }, id: JobId): void {
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) this.#buckets.set(key, (bucket = new Bucket(rate, this.now)))
    if (!bucket.take(this.now)) throw new Violation(`job ${id} was claimed beyond the rate of ${JSON.stringify(key)}`)
  }

  /** A job that has only ever been ready is claimed in the order of priority and creation. */
  #stepUp(job: KnownJob): void {
    if (!job.isFresh) return
    for (const [line, waiting] of this.#lines) {
      const [queue, priority] = splitLine(line)
      if (queue !== job.queue || priority > priorityOf(job)) continue
      const [first] = waiting
      if (first === undefined || first === job) continue
      if (priority < priorityOf(job) || first.order < job.order)
        throw new Violation(
          `job ${job.spec.id} was claimed before ${first.spec.id}, which is ahead of it in queue ${queue}`,
        )
    }
    this.#stale(job)
  }

  #stale(job: KnownJob): void {
    if (!job.isFresh) return
    job.isFresh = false
    this.#lines.get(lineOf(job))!.delete(job)
  }

  /** A claim ends, whatever ends it. */
  #release(job: KnownJob, by: string, attempt?: 'count' | 'undo' | 'reset'): void {
    const claim = job.claim!
    claim.ended = { by }
    job.claim = null
    claim.session.held.delete(job)
    if (attempt === 'undo') job.attempt--
    if (attempt === 'reset') job.attempt = job.crashes = 0
    for (const { key } of job.spec.gates ?? []) this.#gated.get(key)?.delete(job)
    this.#touched.add(job.spec.id)
  }

  #reconciled(id: string, call: number, list: readonly Transition[], { applied, claimed }: Reconciled): void {
    const session = this.#working(id)
    session.lastCall = Math.max(session.lastCall, call)
    session.heardAt = this.#options.trueNow()
    for (const [index, { id: jobId, token }] of list.entries()) {
      const job = this.jobs.get(jobId)
      const claim = job?.claims.find((one) => one.token === token)
      const truth =
        claim === undefined
          ? 'missing'
          : claim.ended === null
            ? 'held'
            : claim.ended.by === `${id}.${call}`
              ? 'already'
              : 'stale'
      const said = applied[index]!.ok
      // A repeat that comes after later calls is waited for by nobody; its receipts may be forgotten.
      const isLate = call < session.lastCall && truth === 'already' && said === 'stale'
      if (said !== truth && !isLate && !(job?.isGone && said === 'missing'))
        throw new Violation(`reconcile says ${said} of job ${jobId}; it is ${truth}`)
    }
    const held = [...session.held].filter((job) => job.claim!.call === call).map(({ spec }) => spec.id)
    if (!isDeepStrictEqual(new Set(claimed.map((job) => job.id)), new Set(held)))
      throw new Violation(
        `reconcile says that call ${call} claimed ${claimed.map((job) => job.id).join(', ')}; it holds ${held.join(', ')}`,
      )
  }

  #over(session: KnownSession | undefined, by: string): void {
    if (session === undefined || session.isOver) return
    for (const job of session.held) this.#release(job, by, 'undo')
    session.isOver = true
    session.overAt = this.now
  }

  #recovered({ jobs, sessions, again }: Recovered): void {
    for (const id of jobs) {
      const job = this.jobs.get(id)!
      if (job.claim === null) throw new Violation(`job ${id} was recovered, and nobody held it`)
      const { session, isExtra } = job.claim
      this.#expectSilence(session)
      if (!sessions.includes(session.id) && !again)
        throw new Violation(`job ${id} was recovered from a session that was not lost`)
      if (!isExtra) job.crashes++
      this.#release(job, 'recovery', isExtra ? 'undo' : undefined)
      if (!isExtra && job.crashes >= (job.spec.crashLimit ?? 3)) this.tally.failed++
    }
    for (const id of sessions) {
      const session = this.sessions.get(id)!
      this.#expectSilence(session)
      if (session.held.size > 0)
        throw new Violation(`session ${id} was given up for lost, and still holds ${session.held.size} jobs`)
      session.isOver = true
      session.overAt = this.now
      this.#options.onLost(
        session,
        jobs.map((job) => this.jobs.get(job)!),
      )
    }
  }

  #expectSilence({ id, heardAt, ttl }: KnownSession): void {
    const silentMs = this.#options.trueNow() - heardAt
    if (silentMs < ttl / 2 - 1)
      throw new Violation(`session ${id} was given up for lost; it was heard of ${silentMs} ms ago`)
  }

  // --- commands

  #commanded(change: Transition, outcome: ApplyOutcome): void {
    const job = this.jobs.get(change.id)
    this.#touched.add(change.id)
    if (outcome.ok === 'applied') {
      if (job === undefined) throw new Violation(`a command was applied to job ${change.id}, which nobody created`)
      if (job.claim !== null) this.#release(job, 'force')
      if (isFinal(job)) this.#expiring.delete(job)
      if (change.attempt === 'reset') job.attempt = job.crashes = 0
      if (change.queue !== undefined) job.queue = change.queue
      this.#created(change.create ?? [], outcome.created ?? [])
      return
    }
    for (const { id } of change.create ?? []) this.#touched.add(id)
    if (outcome.ok === 'signalled') {
      if (job?.claim == null) throw new Violation(`job ${change.id} is not running, and was signalled`)
      job.wished = true
    }
    if (outcome.ok === 'invalid')
      throw new Violation(`core made a command that cannot be carried out: ${outcome.reason}`)
  }

  // --- recurring

  #put(
    list: readonly RecurringPut[],
    answers: readonly { ok: boolean; version: number }[],
    note: (what: string) => void,
  ): void {
    for (const [index, { expect, ...record }] of list.entries()) {
      const { ok, version } = answers[index]!
      note(`${record.id} ${ok} ${version}`)
      const present = this.schedules.get(record.id)
      if (!ok) continue
      if (expect !== undefined && expect !== (present?.version ?? 0))
        throw new Violation(
          `recurring job ${record.id} was changed at version ${expect}; it is at ${present?.version ?? 0}`,
        )
      if (version !== present?.version) this.schedules.set(record.id, { ...record, version })
    }
  }

  #removed(list: readonly { id: string }[], answers: readonly boolean[], note: (what: string) => void): void {
    for (const [index, { id }] of list.entries()) {
      note(`${id} ${answers[index]}`)
      if (answers[index]) this.schedules.delete(id)
    }
  }

  #ticked(list: readonly RecurringTick[], answers: readonly Ticked[], note: (what: string) => void): void {
    for (const [index, tick] of list.entries()) {
      const { ok, skipped, created } = answers[index]!
      note(`${tick.id} ${tick.expect} ${ok} ${skipped} ${created.length}`)
      if (!ok) continue
      const record = this.schedules.get(tick.id)
      if (record?.version !== tick.expect)
        throw new Violation(`recurring job ${tick.id} ticked at version ${tick.expect}; it is at ${record?.version}`)
      const isTrigger = tick.nextAt === record.nextAt
      const [first] = tick.jobs
      if (!isTrigger) {
        if (record.paused !== undefined && (record.paused.until ?? Infinity) > this.now)
          throw new Violation(`recurring job ${tick.id} ticked while it was paused`)
        if (record.nextAt === null || record.nextAt > this.now)
          throw new Violation(`recurring job ${tick.id} ticked before its time`)
        if (tick.nextAt !== null && tick.nextAt <= record.nextAt)
          throw new Violation(`recurring job ${tick.id} went back in time`)
        const { misfire, overlap } = JSON.parse(String(record.spec)) as { misfire: string; overlap: string }
        if (
          misfire === 'all' &&
          overlap !== 'skip' &&
          record.paused === undefined &&
          first?.recurring?.at !== record.nextAt
        )
          throw new Violation(`recurring job ${tick.id} left out its occurrence at ${record.nextAt}`)
      }
      for (const [at, { ok: outcome }] of created.entries()) {
        const occurrence = `${tick.id}@${tick.jobs[at]!.recurring!.at}`
        if (isTrigger || outcome !== 'created') continue
        if (this.#occurrences.has(occurrence)) throw new Violation(`the occurrence ${occurrence} happened twice`)
        this.#occurrences.add(occurrence)
      }
      if (skipped !== true) this.#created(tick.jobs, created)
      this.schedules.set(tick.id, { ...record, nextAt: tick.nextAt, version: -1 })
      this.#moved.add(tick.id)
    }
  }

  /** Records whose version only the storage knows. */
  readonly #moved = new Set<string>()

  // --- locks

  #locked(method: string, [name, owner]: readonly [string, string], answer: unknown): void {
    const held = this.#locks.get(name)
    const isHeld = held !== undefined && held.expiresAt > this.now
    if (method === 'release') {
      if (answer === true && held?.owner !== owner)
        throw new Violation(`the lock ${name} was released by somebody who does not hold it`)
      if (answer === true) this.#locks.set(name, { ...held!, expiresAt: 0 })
      return
    }
    const grant = answer as { fence: number; expiresAt: number } | null
    if (grant === null) {
      if (!isHeld || held.owner === owner) throw new Violation(`the lock ${name} is free, and was refused`)
      return
    }
    if (isHeld && held.owner !== owner) throw new Violation(`the lock ${name} has two owners`)
    if (held !== undefined && held.owner !== owner && grant.fence <= held.fence)
      throw new Violation(`the fence of lock ${name} did not grow`)
    this.#locks.set(name, { owner, fence: grant.fence, expiresAt: grant.expiresAt })
  }

  // --- looking at what came of it

  /** What time may have moved without telling which. */
  #touchWaiting(withFailed: boolean): void {
    for (const [id, job] of this.jobs) {
      if (job.isGone || job.claim !== null) continue
      if (isFinal(job) ? withFailed : job.phase === 'scheduled' || job.phase === 'awaiting') this.#touched.add(id)
    }
  }

  async #look(): Promise<void> {
    // A claim quietly ends what has expired.
    for (const job of this.#expiring) if (!isFinal(job)) this.#touched.add(job.spec.id)
    for (const id of this.#moved) {
      const page = await this.storage.monitor.recurring({ limit: 1, ids: [id] })
      const [record] = page.items
      if (record !== undefined) this.schedules.set(id, record)
    }
    this.#moved.clear()
    while (this.#touched.size > 0) {
      const ids = [...this.#touched]
      this.#touched = new Set()
      const views = await this.storage.monitor.get(ids)
      for (const [index, id] of ids.entries()) this.observe(id, views[index] ?? null)
    }
    for (const key of this.#movedKeys) this.#expectOneHolder(key)
    this.#movedKeys.clear()
    for (const { job, texts } of this.#expected.splice(0)) {
      const { items } = await this.storage.monitor.logs(job.spec.id)
      const written = items.slice(-texts.length).map(({ text }) => (JSON.parse(String(text)) as [string, string])[1])
      if (!isDeepStrictEqual(written, texts))
        throw new Violation(
          `the log of job ${job.spec.id} reads ${JSON.stringify(written)}; its run wrote ${JSON.stringify(texts)}`,
        )
    }
  }

  /** Compares a job as the storage shows it with what must have become of it. */
  observe(id: JobId, view: JobView | null): void {
    const job = this.jobs.get(id)
    if (job === undefined) {
      if (view !== null) throw new Violation(`job ${id} is stored, and nobody was told that it was created`)
      return
    }
    if (view === null) {
      if (!isFinal(job)) throw new Violation(`job ${id} is gone; it was ${job.phase}`)
      job.isGone = true
      return
    }
    const { phase, n, name } = view.state
    if (job.isGone) throw new Violation(`job ${id} was gone, and is there again`)
    if ((phase === 'active') !== (job.claim !== null))
      throw new Violation(`job ${id} is ${phase}, and ${job.claim === null ? 'nobody' : job.claim.session.id} holds it`)
    if (phase !== 'ready' || n > 1) this.#stale(job)
    const hasMoved = n !== job.n
    job.phase = phase
    job.state = name
    job.n = n
    if (isFinalPhase(phase)) job.hasEnded = true
    if (job.wished && phase !== 'active') {
      if (!isFinalPhase(phase)) throw new Violation(`job ${id} was to end, and is ${phase}`)
      job.wished = false
    }
    if (phase !== 'awaiting') job.open.clear()
    else if (job.isDoomed || job.open.size === 0)
      throw new Violation(
        `job ${id} still waits, although its parents have ended ${job.isDoomed ? 'otherwise' : 'as it wished'}`,
      )
    if (!hasMoved) return
    if (isFinal(job)) for (const child of this.#children.get(id) ?? []) this.#parentEnded(job, child)
    if (job.spec.unique !== undefined) this.#movedKeys.add(job.spec.unique.key)
  }

  /** The end of a parent decides about the edge at once, but for a failure that the edge does not name. */
  #parentEnded(parent: KnownJob, child: KnownJob): void {
    const edge = child.spec.after!.find((one) => one.parent === parent.spec.id)!
    const end = parent.phase
    if (!isFinalPhase(end) || !child.open.has(parent.spec.id)) return
    if (edge.on.includes(end)) child.open.delete(parent.spec.id)
    else if (end === 'failed') return
    else child.isDoomed = true
    this.#touched.add(child.spec.id)
  }

  #expectOneHolder(key: string): void {
    const holders = [...this.#keyed.get(key)!].filter((job) => holdsKey(job, this.now))
    if (holders.length > 1)
      throw new Violation(
        `the unique key ${JSON.stringify(key)} has two holders: ${holders.map(({ spec }) => spec.id).join(', ')}`,
      )
  }
}

function isRead(room: string, method: string): boolean {
  return room === 'monitor' || room === '' || method === 'due' || method === 'runs'
}

type Ticked = { readonly ok: boolean; readonly skipped?: boolean; readonly created: readonly CreateOutcome[] }

function describe(list: readonly Transition[], outcomes: readonly { readonly ok: string }[]): string {
  return list.map(({ id, to }, index) => `${id} ${to.name} ${outcomes[index]!.ok}`).join(' ')
}

function addTo<K, V>(sets: Map<K, Set<V>>, key: K, value: V): void {
  const set = sets.get(key)
  if (set === undefined) sets.set(key, new Set([value]))
  else set.add(value)
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T
}

function priorityOf({ spec }: KnownJob): number {
  return spec.priority ?? 100
}

function lineOf(job: KnownJob): string {
  return `${priorityOf(job)} ${job.spec.queue}`
}

function splitLine(line: string): [queue: string, priority: number] {
  const space = line.indexOf(' ')
  return [line.slice(space + 1), Number(line.slice(0, space))]
}
