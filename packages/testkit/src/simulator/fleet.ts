import type { Client, JobContext, Server, ServerQueues } from '@q/core'
import { createClient, createServer } from '@q/core'
import type { JobStorage } from '@q/core/storage'
import type { Random } from '../differential/random.ts'
import type { ManualClock } from '../manual-clock.ts'
import type { Auditor } from './auditor.ts'
import { Violation } from './violation.ts'
import type { Work } from './jobs.ts'
import { handlerOf, programs } from './jobs.ts'
import type { KnownClaim, KnownJob, KnownSession } from './known-job.ts'
import type { Network } from './network.ts'
import { SimulatedProcess } from './process.ts'

export const leaseMs = 3_000
/** What a stop may take at most: its grace, the time for signals, and four last calls. */
const graceMs = 1_000
const longestStopMs = graceMs + 2_000 + 4 * 2_000 + 100

interface FleetOptions {
  readonly time: ManualClock
  readonly random: Random
  readonly network: Network
  readonly auditor: () => Auditor
  readonly fail: (error: unknown) => void
}

export interface RunningClient {
  readonly process: SimulatedProcess
  readonly client: Client<JobStorage>
}

interface RunningServer {
  readonly process: SimulatedProcess
  readonly server: Server
  readonly concurrency: number
  readonly runs: Set<Run>
}

interface Run {
  readonly id: string
  readonly claim: KnownClaim
  readonly context: JobContext<Work>
}

/** The places at which servers run: what runs there changes, the configuration stays. */
const places: readonly {
  readonly program: 'old' | 'new'
  readonly queues: ServerQueues
  readonly concurrency: number
}[] = [
  { program: 'new', queues: ['a', 'b', 'c.>'], concurrency: 6 },
  { program: 'old', queues: { b: 3, a: { concurrency: 3 }, 'c.x': 1 }, concurrency: 5 },
  { program: 'old', queues: ['c.*', 'a'], concurrency: 3 },
]
const clientCount = 3

/** All processes of a run. */
export class Fleet {
  readonly clients: RunningClient[] = []
  readonly #servers = new Map<number, RunningServer>()
  readonly #options: FleetOptions
  readonly #runsOf = new Map<string, number>()
  readonly #lines = new WeakMap<KnownClaim, number>()
  #born = 0
  #isOver = false

  constructor(options: FleetOptions) {
    this.#options = options
  }

  start(): void {
    for (let n = 0; n < clientCount; n++) this.clients.push(this.#startClient(n))
    for (let place = 0; place < places.length; place++) this.startServer(place)
  }

  get placeCount(): number {
    return places.length
  }

  serverAt(place: number): RunningServer | undefined {
    return this.#servers.get(place)
  }

  processes(): readonly SimulatedProcess[] {
    return [...this.clients, ...this.#servers.values()].map(({ process }) => process)
  }

  restartClient(n: number): void {
    this.clients[n]!.process.crash()
    this.clients[n] = this.#startClient(n)
  }

  #process(name: string): SimulatedProcess {
    const { time, random } = this.#options
    return new SimulatedProcess(`${name}.${++this.#born}`, time, random.fork())
  }

  #startClient(n: number): RunningClient {
    const process = this.#process(`client-${n}`)
    const storage = this.#options.network.connect(process)
    return { process, client: createClient({ storage, clock: process.clock, name: process.name, deadline: '3s' }) }
  }

  /** Starts a server; whoever cannot start gives way to another one, and whoever crashes is followed by one. */
  startServer(place: number): void {
    const { time, network, fail } = this.#options
    const { program, queues, concurrency } = places[place]!
    const process = this.#process(`server-${place}`)
    const jobs = programs[program]
    const storage = network.connect(process)
    const server = createServer({
      storage,
      jobs,
      queues,
      concurrency,
      clock: process.clock,
      name: process.name,
      lease: leaseMs,
      heartbeat: leaseMs / 3,
    })
    const running: RunningServer = { process, server, concurrency, runs: new Set() }
    for (const job of jobs)
      server.handle(
        job,
        handlerOf(process, (context) => this.#begin(running, context)),
      )
    this.#servers.set(place, running)
    process.onDeath(() => time.timer(800, () => this.#replace(place, running)))
    server.start().catch(() =>
      this.stopServer(place)
        .then(() => this.#replace(place, running))
        .catch(fail),
    )
  }

  #replace(place: number, former: RunningServer): void {
    if (!this.#isOver && this.#servers.get(place) === former) this.startServer(place)
  }

  /** A graceful stop: bounded in time, and nothing of the server goes on but handlers that do not listen. */
  async stopServer(place: number): Promise<void> {
    const { time } = this.#options
    const { process, server } = this.#servers.get(place)!
    const askedAt = time.monotonic()
    await server.stop({ grace: graceMs })
    if (!process.isAlive) return
    const tookMs = time.monotonic() - askedAt
    if (tookMs > longestStopMs && process.resumedAt < askedAt)
      throw new Violation(`${process.name} took ${tookMs} ms to stop`)
    if (process.timers > 0) throw new Violation(`${process.name} has stopped, and left ${process.timers} timers behind`)
  }

  async restartServer(place: number): Promise<void> {
    const former = this.#servers.get(place)!
    await this.stopServer(place)
    if (former.process.isAlive) this.#replace(place, former)
  }

  async stopAll(): Promise<void> {
    this.#isOver = true
    await Promise.all([...this.#servers.keys()].map((place) => this.stopServer(place)))
    await Promise.all(this.clients.map(({ client }) => client.close()))
  }

  linesOf(_job: KnownJob, claim: KnownClaim): number {
    return this.#lines.get(claim) ?? 0
  }

  /** A handler begins. It must do so under the claim that its server holds, and never beside itself. */
  #begin(server: RunningServer, context: JobContext<Work>): { readonly runs: number; end(): void } {
    const { fail, auditor } = this.#options
    const { id, attempt } = context
    const runs = (this.#runsOf.get(id) ?? 0) + 1
    this.#runsOf.set(id, runs)
    const { session } = server.server.health()
    const claims = auditor().jobs.get(id)?.claims ?? []
    const claim = claims.findLast((one) => one.session.id === session && one.attempt === attempt)
    if (claim === undefined) {
      fail(
        new Violation(
          `${server.process.name} runs job ${id} for attempt ${attempt}, and its session ${session} never claimed that`,
        ),
      )
      return { runs, end: () => {} }
    }
    if ([...server.runs].some((run) => run.id === id))
      fail(new Violation(`${server.process.name} runs job ${id} beside itself`))
    if (server.runs.size >= server.concurrency)
      fail(new Violation(`${server.process.name} runs more than ${server.concurrency} jobs`))
    const run: Run = { id, claim, context }
    server.runs.add(run)
    if (context.input.lines !== undefined) this.#lines.set(claim, context.input.lines)
    return { runs, end: () => server.runs.delete(run) }
  }

  /** Who is not paused has told its handlers to stop before the storage gave their jobs to others. */
  expectFenced(session: KnownSession): void {
    const { time, fail } = this.#options
    const server = [...this.#servers.values()].find(({ process }) => process.name === session.process)
    if (server === undefined || !server.process.isAlive || server.process.isPaused) return
    if (time.monotonic() - server.process.resumedAt < leaseMs / 3) return
    // The storage's clock has jumped: nobody could know.
    if (time.monotonic() - session.heardAt < session.ttl) return
    const run = [...server.runs].find(({ claim, context }) => claim.session === session && !context.signal.aborted)
    if (run !== undefined)
      fail(new Violation(`${session.process} lost its session ${session.id}, and still runs job ${run.id}`))
  }
}
