import { hostname } from 'node:os'
import type { Clock } from '../clock.ts'
import { systemClock } from '../clock.ts'
import { createClient, createClientCore } from '../client/client.ts'
import type { Codec } from '../codec/codec.ts'
import { QError, isQError } from '../errors.ts'
import { createFilterSets } from '../filters/filter-set.ts'
import type { Filter } from '../filters/filter.ts'
import type { Handler, JobDefinition } from '../jobs/define-job.ts'
import type { Provided } from '../jobs/job-context.ts'
import type { Logger } from '../logger.ts'
import type { Duration } from '../schedule/duration.ts'
import { parseDuration } from '../schedule/duration.ts'
import type { JobStorage } from '../storage/storage.ts'
import type { Watch } from '../storage/wakeups.ts'
import { JobRegistry } from './job-registry.ts'
import { startFence, startHeartbeat } from './processes/heartbeat.ts'
import { startSchedules } from './processes/schedules.ts'
import { startUpkeep } from './processes/upkeep.ts'
import { QueueList, type ServerQueues } from './queue-list.ts'
import type { ServerCore } from './server-core.ts'
import type { ServerInfo } from './server-info.ts'
import { ServerSession } from './session.ts'
import { listenToSignals } from './process-signals.ts'
import type { Process, ProcessHealth } from './supervise.ts'
import { supervise } from './supervise.ts'
import { Worker } from './worker.ts'
import { packageVersion } from '../version.ts'

export interface ServerOptions {
  readonly storage: JobStorage
  /** The jobs it can run. Those without `run` get their work by `server.handle`. */
  readonly jobs?: readonly JobDefinition<never, unknown>[] | undefined
  /** A list is served in strict order; an object gives each queue its share of slots, in turn. Default: the queues of its jobs, and 'default'. */
  readonly queues?: ServerQueues | undefined
  /** Handlers at once. Default 20, or the sum of the queues' shares. */
  readonly concurrency?: number | undefined
  readonly filters?: readonly Filter[] | undefined
  /** What handlers get by `ctx.use(key)`. */
  readonly provide?: Provided | undefined
  readonly codec?: Codec | undefined
  readonly maxPayload?: number | undefined
  readonly logger?: Logger | undefined
  /** How often the lease is renewed. Default '10s', or a third of the lease. */
  readonly heartbeat?: Duration | undefined
  /** How long its jobs stay its own after its last sign of life. Default '30s'. */
  readonly lease?: Duration | undefined
  /** For people. Default: host and process id. */
  readonly name?: string | undefined
  /** Stop gracefully on SIGTERM and SIGINT; the second one ends the process. Default false. */
  readonly handleSignals?: boolean | undefined
  /** For tests. */
  readonly clock?: Clock | undefined
}

export interface StopOptions {
  /** How long running handlers may take before their signal aborts. Default '30s'. */
  readonly grace?: Duration | undefined
}

export interface ServerHealth {
  readonly status: 'ok' | 'degraded' | 'stopped'
  /** Handlers running now, of this many slots. */
  readonly running: number
  readonly concurrency: number
  /** Claimed and not started. */
  readonly waiting: number
  readonly session: string | null
  /** Since the storage last answered anything. */
  readonly answeredMs: number
  readonly processes: Readonly<Record<string, ProcessHealth>>
}

export interface Server extends AsyncDisposable {
  readonly name: string
  /** Attaches work to a job that was defined without. */
  handle<Input, Result>(job: JobDefinition<Input, Result>, run: Handler<Input, Result>): Server
  start(): Promise<void>
  /** No new jobs → wait → abort signals → hand back, without charging the attempt. Returns in bounded time, whatever the storage does. */
  stop(options?: StopOptions): Promise<void>
  /** Starts, and resolves when stopped; the signal stops it gracefully. */
  run(options?: { readonly signal?: AbortSignal | undefined } & StopOptions): Promise<void>
  /** From progress, not from a ping. */
  health(): ServerHealth
}

const defaultConcurrency = 20
/** After their signal, handlers get this long to end before they are left behind. */
const abortMs = 2000
/** The last calls of a stop get this long each: what the storage takes while it answers, hardly anything while it does not. */
const farewellMs = 5000
const silentFarewellMs = 300

/**
 * Runs jobs.
 *
 * @example
 * await using server = createServer({ storage, jobs: [sendMail] })
 * await server.start()
 */
export function createServer(options: ServerOptions): Server {
  return new JobServer(options)
}

type Phase = 'new' | 'starting' | 'running' | 'stopping' | 'stopped'

class JobServer implements Server {
  readonly #core: ServerCore
  readonly #registry = new JobRegistry()
  readonly #queueOption: ServerQueues | undefined
  readonly #handleSignals: boolean
  #phase: Phase = 'new'
  #starting: Promise<void> | null = null
  #stopping: Promise<void> | null = null
  #session: ServerSession | null = null
  #worker: Worker | null = null
  #processes: Process[] = []
  #watch: Watch | null = null
  #opening: Promise<void> | null = null
  #ends = new AbortController()
  #stopped = Promise.withResolvers<void>()
  #unlisten: () => void = () => undefined

  constructor(options: ServerOptions) {
    const { storage, jobs = [], queues, filters = [], provide = {}, clock = systemClock } = options
    for (const job of jobs) this.#registry.add(job)
    const ttlMs = parseDuration(options.lease ?? '30s', { option: 'lease', minMs: 500 })
    const heartbeatMs = parseDuration(options.heartbeat ?? Math.min(10_000, ttlMs / 3), {
      option: 'heartbeat',
      minMs: 50,
    })
    if (heartbeatMs > ttlMs / 2) {
      throw new QError(
        'Q_OPTION_INVALID',
        `A heartbeat every ${heartbeatMs} ms cannot keep a lease of ${ttlMs} ms: give at most half of it, better a third.`,
      )
    }
    const name = options.name ?? `${hostname()}:${process.pid}`
    const clientOptions = {
      storage,
      filters,
      codec: options.codec,
      maxPayload: options.maxPayload,
      logger: options.logger,
      clock,
      name,
    }
    this.#queueOption = queues
    this.#handleSignals = options.handleSignals ?? false
    this.#core = {
      ...createClientCore(clientOptions),
      filterSets: createFilterSets(filters, { runs: true }),
      registry: this.#registry,
      client: createClient(clientOptions),
      provided: provide,
      name,
      concurrency: concurrencyOf(options),
      ttlMs,
      heartbeatMs,
    }
  }

  get name(): string {
    return this.#core.name
  }

  handle<Input, Result>(job: JobDefinition<Input, Result>, run: Handler<Input, Result>): Server {
    this.#registry.handle(job as never, run as never)
    return this
  }

  start(): Promise<void> {
    if (this.#phase === 'stopping' || this.#phase === 'stopped') {
      return Promise.reject(
        new QError('Q_CLOSED', `The server ${this.name} was stopped. Make another one with createServer().`),
      )
    }
    this.#starting ??= this.#start().catch((error: unknown) => {
      // A start that failed may be tried again, once its cause is gone.
      this.#starting = null
      if (this.#phase === 'starting') this.#phase = 'new'
      throw error
    })
    return this.#starting
  }

  async #start(): Promise<void> {
    const { storage, logger } = this.#core
    const unhandled = this.#registry.unhandled()
    if (unhandled.length > 0) {
      throw new QError(
        'Q_OPTION_INVALID',
        `Nobody said how to run ${unhandled.map((job) => `"${job}"`).join(', ')}. Give the definition a \`run\`, or call server.handle(job, fn) before start().`,
      )
    }
    this.#phase = 'starting'
    await storage.start()
    logger.info(`storage ${storage.label}: durability ${storage.capabilities.durability}`, { server: this.name })
    const queues = new QueueList(this.#queueOption ?? [...new Set([...this.#registry.queues(), 'default'])])
    const session = new ServerSession(this.#core, this.#info(queues))
    this.#session = session
    const worker = new Worker(this.#core, session, queues, {
      onDue: (inMs) => this.#onDue(inMs),
      onNames: () => this.#names?.poke(),
      onQueues: () => this.#pauses?.poke(),
      onLost: () => this.#reopen(queues, 'the storage refused its call'),
    })
    this.#worker = worker
    await this.#openDoors(session, queues)
    this.#startProcesses(session, queues)
    if (this.#handleSignals) this.#unlisten = listenToSignals(() => this.stop())
    this.#phase = 'running'
    worker.start()
  }

  /** A start that fails, or that a stop has overtaken, leaves nothing open. */
  async #openDoors(session: ServerSession, queues: QueueList): Promise<void> {
    try {
      await session.open(this.#ends.signal)
      await this.#resolveNames(queues)
      this.#watch = await this.#watchQueues(queues, session)
      if (this.#stopping !== null)
        throw new QError('Q_CLOSED', `The server ${this.name} was stopped while it was starting.`)
    } catch (error) {
      await this.#watch?.close().catch(() => undefined)
      await session.end().catch(() => undefined)
      throw error
    }
  }

  #names: Process | null = null
  #pauses: Process | null = null
  #due: { cancel(): void } | null = null

  #startProcesses(session: ServerSession, queues: QueueList): void {
    const events = {
      onSignals: (signals: Parameters<Worker['readSignals']>[0]) => this.#worker?.readSignals(signals),
      onLost: (reason: string) => this.#reopen(queues, reason),
    }
    const heartbeat = startHeartbeat(this.#core, session, events)
    const upkeep = startUpkeep(this.#core, session, () => this.#worker?.wake())
    const schedules = startSchedules(this.#core)
    this.#schedules = schedules
    const quietly = 24 * 3_600_000
    this.#names = supervise(this.#core, 'queue names', quietly, () => this.#followNames(queues, session))
    this.#pauses = supervise(this.#core, 'queue settings', quietly, () => this.#followPauses())
    this.#upkeep = upkeep
    this.#processes = [
      heartbeat,
      startFence(this.#core, session, heartbeat, events),
      upkeep,
      schedules,
      this.#names,
      this.#pauses,
    ]
  }

  #upkeep: Process | null = null
  #schedules: Process | null = null

  /** Something becomes due: promote it then, and look whether it can be claimed. */
  #onDue(inMs: number): void {
    this.#upkeep?.pokeIn(inMs)
    this.#due?.cancel()
    this.#due = this.#core.clock.timer(inMs, () => this.#worker?.wake())
  }

  async #resolveNames(queues: QueueList): Promise<void> {
    if (!queues.hasWildcards) return
    queues.resolve(await this.#core.storage.monitor.names('queue', '', 10_000))
  }

  async #followNames(queues: QueueList, session: ServerSession): Promise<void> {
    if (!queues.hasWildcards || this.#phase !== 'running') return
    const before = queues.names.join('\n')
    await this.#resolveNames(queues)
    if (queues.names.join('\n') === before) return
    await this.#watchAgain(queues, session)
    this.#worker?.wake()
  }

  /** Unstarted jobs of a paused queue go back to their places. */
  async #followPauses(): Promise<void> {
    const settings = await this.#core.storage.monitor.queues()
    const paused = new Set(settings.filter((queue) => queue.paused).map(({ name }) => name))
    this.#worker?.handBackWaiting((job) => paused.has(job.queue))
    this.#worker?.wake()
  }

  /** Hints are a convenience: a server that cannot have them polls. */
  async #watchQueues(queues: QueueList, session: ServerSession): Promise<Watch | null> {
    const { wakeups } = this.#core.storage
    const topics = [
      ...queues.names.map((queue) => ({ queue })),
      ...(queues.hasWildcards ? [{ names: true } as const] : []),
    ]
    try {
      const work = await wakeups.watch(topics, () => this.#worker?.wake())
      const signals = await wakeups.watch([{ session: session.id }], () => this.#worker?.askForSignals())
      const schedules = await wakeups.watch([{ schedules: true }], () => this.#schedules?.poke())
      return { close: async () => void (await Promise.all([work, signals, schedules].map((watch) => watch.close()))) }
    } catch (error) {
      if (!isQError(error)) throw error
      this.#core.logger.warn('the storage gives no hints; work is found by polling', {
        server: this.name,
        error: error.message,
      })
      return null
    }
  }

  /** Other queues, or another session: the former hints stop once the new ones are there. */
  async #watchAgain(queues: QueueList, session: ServerSession): Promise<void> {
    const { id } = session
    const watch = await this.#watchQueues(queues, session)
    // Whoever waited too long for his hints has been overtaken by the next session, or by the end.
    const isLate = session.id !== id || this.#phase === 'stopped'
    const former = isLate ? watch : this.#watch
    if (!isLate) this.#watch = watch
    await former?.close().catch(() => undefined)
  }

  /** The session is gone: everything it ran is void here too, and a new one takes its place. */
  #reopen(queues: QueueList, reason: string): void {
    if (this.#opening !== null || this.#phase === 'stopped') return
    const session = this.#session!
    this.#core.logger.warn('the lease of this server was lost; its running jobs are aborted, and it starts over', {
      server: this.name,
      reason,
    })
    session.isOpen = false
    this.#worker?.voidAll()
    this.#opening = session
      .open(this.#ends.signal)
      .then(() => {
        this.#worker?.wake()
        // Nobody waits for hints: this session may be lost before they come.
        void this.#watchAgain(queues, session)
      })
      .catch((error: unknown) =>
        this.#core.logger.debug('no new session: the server stops', { server: this.name, error: String(error) }),
      )
      .finally(() => {
        this.#opening = null
      })
  }

  stop(options: StopOptions = {}): Promise<void> {
    if (this.#phase === 'new') {
      this.#phase = 'stopped'
      this.#stopped.resolve()
      return this.#core.client.close()
    }
    this.#stopping ??= this.#stop(parseDuration(options.grace ?? '30s', 'grace'))
    return this.#stopping
  }

  async #stop(graceMs: number): Promise<void> {
    const { clock, logger } = this.#core
    this.#phase = 'stopping'
    this.#unlisten()
    await this.#within(() => this.#starting?.catch(() => undefined) ?? Promise.resolve())
    const worker = this.#worker
    worker?.quiet()
    const waits = new AbortController()
    const timer = clock.timer(graceMs, () => waits.abort())
    await worker?.drained(waits.signal)
    timer.cancel()
    if (worker !== null && worker.running > 0) {
      logger.warn('handlers did not end within the grace; their signals abort', {
        server: this.name,
        running: worker.running,
      })
      worker.stopRuns('stopping')
      const abort = new AbortController()
      const abortTimer = clock.timer(abortMs, () => abort.abort())
      await worker.drained(abort.signal)
      abortTimer.cancel()
      if (worker.running > 0)
        logger.warn('handlers ignore their signals; their jobs are handed back while they go on', {
          server: this.name,
          running: worker.running,
        })
    }
    this.#ends.abort(new QError('Q_CLOSED', `The server ${this.name} stops.`))
    await this.#within(() => Promise.all([worker?.close(), ...this.#processes.map((process) => process.stop())]))
    // Not sooner: a call that was on its way may have set it.
    this.#due?.cancel()
    worker?.stopRuns('lost')
    // Whatever it still holds goes back to its place, uncharged; if the storage is away, recovery does it later.
    await this.#within(() => this.#session?.end() ?? Promise.resolve())
    await this.#within(() => Promise.all([this.#watch?.close(), this.#core.client.close()]))
    this.#phase = 'stopped'
    this.#stopped.resolve()
  }

  /** A stop ends in time whatever the storage does. */
  async #within(work: () => Promise<unknown>): Promise<void> {
    const ms = (this.#session?.silentMs() ?? 0) > this.#core.heartbeatMs ? silentFarewellMs : farewellMs
    const done = Promise.withResolvers<void>()
    const timer = this.#core.clock.timer(ms, () => done.resolve())
    work().then(
      () => done.resolve(),
      (error: unknown) => {
        this.#core.logger.warn('a last call of a stopping server failed', { server: this.name, error: String(error) })
        done.resolve()
      },
    )
    await done.promise
    timer.cancel()
  }

  async run({ signal, ...options }: { readonly signal?: AbortSignal | undefined } & StopOptions = {}): Promise<void> {
    await this.start()
    const stop = (): void => void this.stop(options)
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop, { once: true })
    await this.#stopped.promise
    signal?.removeEventListener('abort', stop)
  }

  health(): ServerHealth {
    const session = this.#session
    const processes = Object.fromEntries(this.#processes.map((process) => [process.name, process.health()]))
    const answeredMs =
      session === null || session.answeredAt === 0 ? Infinity : this.#core.clock.monotonic() - session.answeredAt
    const isWell =
      session?.isOpen === true &&
      answeredMs < this.#core.heartbeatMs * 1.4 &&
      Object.values(processes).every(({ ok }) => ok)
    return {
      status: this.#phase === 'stopped' || this.#phase === 'new' ? 'stopped' : isWell ? 'ok' : 'degraded',
      running: this.#worker?.running ?? 0,
      concurrency: this.#core.concurrency,
      waiting: this.#worker?.waiting ?? 0,
      session: session?.isOpen ? session.id : null,
      answeredMs,
      processes,
    }
  }

  #info(queues: QueueList): ServerInfo {
    return {
      host: hostname(),
      pid: process.pid,
      node: process.version,
      version: packageVersion,
      startedAt: this.#core.clock.now(),
      concurrency: this.#core.concurrency,
      queues: queues.patterns,
      jobs: this.#registry.known(),
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

function concurrencyOf({ concurrency, queues }: ServerOptions): number {
  if (concurrency !== undefined) {
    if (Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= 10_000) return concurrency
    throw new QError(
      'Q_OPTION_INVALID',
      `\`concurrency\` is ${concurrency}; it must be a whole number from 1 to 10,000.`,
    )
  }
  if (queues === undefined || Array.isArray(queues)) return defaultConcurrency
  return Object.values(queues as Record<string, number | { concurrency: number }>).reduce<number>(
    (sum, share) => sum + (typeof share === 'number' ? share : share.concurrency),
    0,
  )
}
