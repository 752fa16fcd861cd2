import { type Rules, memoryStorage } from '@q/core/memory'
import type { Clock } from '@q/core/storage'
import { isFinalPhase } from '@q/core/storage'
import { Random } from '../differential/random.ts'
import { ManualClock, settled } from '../manual-clock.ts'
import { Auditor } from './auditor.ts'
import { Commands } from './commands.ts'
import { Fleet, leaseMs } from './fleet.ts'
import { ghost } from './jobs.ts'
import type { KnownJob } from './known-job.ts'
import { isFinal } from './known-job.ts'
import { type MessageFault, Network, messageFaults } from './network.ts'
import { Trace } from './trace.ts'
import { Violation } from './violation.ts'
import { readHistories, walk } from './walk.ts'

export interface SimulateOptions {
  /** Breaks a rule of the storage, to see whether that is noticed. */
  readonly rules?: Partial<Rules> | undefined
  /** Keeps every event to be read. */
  readonly trace?: boolean | undefined
}

export interface Simulated {
  readonly seed: number
  /** Of everything that happened. */
  readonly hash: string
  readonly events: number
  readonly commands: number
  readonly jobs: number
  readonly faults: ReadonlyMap<Fault, number>
  readonly trace: readonly string[]
}

/** What goes wrong in every run at least once, beside the messages. */
export const fleetFaults = [
  'server crash',
  'client crash',
  'pause',
  'partition',
  'clock step',
  'storage clock step',
  'slow storage',
  'restart',
] as const
export type Fault = MessageFault | (typeof fleetFaults)[number]

/** A run in which a promise did not hold. Says how to see it again. */
export class SimulationFailure extends Error {
  readonly seed: number
  readonly trace: readonly string[]

  constructor(seed: number, trace: readonly string[], cause: unknown) {
    super(
      `Seed ${seed}: ${cause instanceof Error ? cause.message : String(cause)}\nSee it again with: npm run simulate -- --seed ${seed}`,
      { cause },
    )
    this.seed = seed
    this.trace = trace
  }
}

const commandCount = 205
const troubleMs = 30_000
/** After the trouble, everything must have come to rest within this. */
const calmMs = 120_000
const mostSteps = 150_000

/** Runs a fleet through 30 s of trouble and then to rest, in virtual time, and checks that every promise holds. */
export async function simulate(seed: number, options: SimulateOptions = {}): Promise<Simulated> {
  const run = new Simulation(seed, options)
  const { stackTraceLimit } = Error
  // Hundreds of jobs fail on purpose, and nobody reads where.
  Error.stackTraceLimit = 0
  try {
    return await run.run()
  } catch (error) {
    throw new SimulationFailure(seed, run.trace.lines, error)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

class Simulation {
  readonly trace: Trace
  readonly #seed: number
  readonly #random: Random
  readonly #time: ManualClock
  readonly #network: Network
  readonly #auditor: Auditor
  readonly #fleet: Fleet
  readonly #commands: Commands
  readonly #faults = new Map<Fault, number>()
  #storageSkewMs = 0
  #jumpedAt = -Infinity
  #isTrouble = true
  #steps = 0
  #failure: unknown = null

  constructor(seed: number, { rules, trace = false }: SimulateOptions) {
    this.#seed = seed
    this.trace = new Trace(trace)
    this.#random = new Random(seed)
    this.#time = new ManualClock('2027-03-28T00:00:00Z', seed)
    const time = this.#time
    const fail = (error: unknown): void => void (this.#failure ??= error)
    const storage = memoryStorage({ clock: this.#storageClock(), rules })
    this.#auditor = new Auditor({
      storage,
      trace: this.trace,
      trueNow: () => time.monotonic(),
      walk,
      onLost: (session) => this.#fleet.expectFenced(session),
      linesOf: (job, claim) => this.#fleet.linesOf(job, claim),
    })
    this.#network = new Network({
      time,
      random: this.#random.fork(),
      storage,
      capabilities: { push: this.#random.chance(0.6), maxBatch: this.#random.pick([5, 50, 1000]) },
      meet: async (arrival, call) => {
        try {
          return await this.#auditor.meet(arrival, call)
        } catch (error) {
          if (error instanceof Violation) fail(error)
          throw error
        }
      },
    })
    this.#fleet = new Fleet({
      time,
      random: this.#random.fork(),
      network: this.#network,
      auditor: () => this.#auditor,
      fail,
    })
    this.#commands = new Commands(this.#random.fork(), this.#auditor, fail)
  }

  async run(): Promise<Simulated> {
    this.#fleet.start()
    this.#network.faultiness = 0.02
    this.#planCommands()
    this.#planFaults()
    await this.#passes(troubleMs)
    await this.#calmDown()
    await this.#comeToRest()
    await walk(this.#auditor)
    await readHistories(this.#auditor)
    await this.#stop()
    for (const fault of [...fleetFaults, ...messageFaults]) {
      if (!this.#faults.has(fault)) throw new Error(`this run has met no "${fault}": the simulator is broken`)
    }
    const { hash, events, lines } = this.trace
    return {
      seed: this.#seed,
      hash,
      events,
      commands: commandCount,
      jobs: this.#auditor.jobs.size,
      faults: this.#faults,
      trace: lines,
    }
  }

  #storageClock(): Clock {
    const time = this.#time
    return {
      now: () => time.now() + this.#storageSkewMs,
      monotonic: () => time.monotonic(),
      timer: (delayMs, fire) => time.timer(delayMs, fire),
      soon: (fire) => time.soon(fire),
      random: () => time.random(),
      fill: (bytes) => time.fill(bytes),
    }
  }

  #planCommands(): void {
    const random = this.#random.fork()
    for (let n = 0; n < commandCount; n++) {
      this.#time.timer(random.int(0, troubleMs), () => {
        const client = random.pick(this.#fleet.clients)
        client.process.deliver(() => this.#commands.run(client))
      })
    }
  }

  /** Every kind at least once, at random times. */
  #planFaults(): void {
    const random = this.#random.fork()
    const at = (): number => random.int(1_000, troubleMs - 3_000)
    for (const fault of messageFaults) this.#time.timer(at(), () => this.#network.plan(fault))
    for (const fault of fleetFaults) {
      for (let times = random.int(1, 2); times > 0; times--) {
        this.#time.timer(at(), () => {
          this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1)
          this.trace.add(this.#time.monotonic(), 'fault', fault)
          this.#strike(fault, random)
        })
      }
    }
  }

  #strike(fault: (typeof fleetFaults)[number], random: Random): void {
    const { clients, placeCount } = this.#fleet
    const place = random.int(0, placeCount - 1)
    const server = this.#fleet.serverAt(place)!
    const someone = random.chance(0.7) ? server.process : random.pick(clients).process
    switch (fault) {
      case 'server crash':
        return server.process.crash()
      case 'client crash':
        return this.#fleet.restartClient(random.int(0, clients.length - 1))
      case 'pause':
        return someone.pause(random.int(100, 3 * leaseMs))
      case 'partition':
        this.#network.cutOff(someone)
        return void this.#time.timer(random.int(100, 3 * leaseMs), () => this.#network.heal(someone))
      case 'clock step':
        someone.skewMs += random.int(-3_600_000, 3_600_000)
        return
      case 'storage clock step':
        return this.#stepStorageClock(random)
      case 'slow storage':
        this.#network.slownessMs = random.int(50, 500)
        return void this.#time.timer(random.int(500, 4_000), () => (this.#network.slownessMs = 0))
      case 'restart':
        return server.process.deliver(() => {
          this.#fleet.restartServer(place).catch((error: unknown) => (this.#failure ??= error))
        })
    }
  }

  /** Two jumps ahead within a lease look like a silence to anybody, so there is one at a time. */
  #stepStorageClock(random: Random): void {
    const now = this.#time.monotonic()
    const mayJumpAhead = now - this.#jumpedAt > 2 * leaseMs
    if (mayJumpAhead && random.chance(0.5)) {
      this.#jumpedAt = now
      this.#storageSkewMs += random.int(1, 2 * leaseMs)
    } else this.#storageSkewMs -= random.int(1, 600_000)
  }

  async #calmDown(): Promise<void> {
    this.#isTrouble = false
    const { storage } = this.#auditor
    this.#network.faultiness = 0
    this.#network.slownessMs = 0
    this.#network.heal()
    for (const process of this.#fleet.processes()) process.resume()
    for (const [fault, times] of this.#network.struck) this.#faults.set(fault, times)
    // What was sent before is still on its way, and arrives.
    await this.#passes(10_000)
    for (const { id } of (await storage.monitor.recurring({ limit: 100 })).items)
      await this.#operator('recurring', 'remove', [[{ id }]])
    for (const { name } of await storage.monitor.queues())
      await this.#operator('queues', 'set', [name, { paused: null, rate: null, maxActive: null }])
  }

  /** Somebody who is at the storage itself. */
  async #operator(room: 'recurring' | 'queues', method: string, args: readonly unknown[]): Promise<void> {
    const target = this.#auditor.storage[room]
    const { process } = this.#fleet.clients[0]!
    await this.#auditor.meet({ process, room, method, args }, async () =>
      Reflect.get(target, method).apply(target, args),
    )
  }

  async #comeToRest(): Promise<void> {
    const endsAt = this.#time.monotonic() + calmMs
    for (;;) {
      await this.#passes(1_000)
      const { now } = await this.#auditor.storage.recurring.due(0)
      const restless = await this.#restless(now)
      if (restless === undefined) return
      if (this.#time.monotonic() > endsAt) throw new Violation(restless)
    }
  }

  /** Which job has neither ended nor a good reason to wait. */
  async #restless(now: number): Promise<string | undefined> {
    const ids = [...this.#auditor.jobs].filter(([, job]) => !job.isGone && !isFinal(job)).map(([id]) => id)
    for (const view of await this.#auditor.storage.monitor.get(ids)) {
      if (view === null || isFinalPhase(view.state.phase)) continue
      const job = this.#auditor.jobs.get(view.id)!
      if (view.state.phase === 'scheduled' && view.dueAt! > now) {
        if (view.dueAt! > now + 3_600_000) continue
        return `job ${view.id} ("${view.name}") is due only in ${view.dueAt! - now} ms`
      }
      if (
        view.state.phase === 'awaiting' &&
        view.parents.some(({ phase }) => phase === 'failed' || !isFinalPhase(phase as never))
      )
        continue
      if (isGhost(job) && view.state.phase === 'parked') continue
      return `job ${view.id} ("${view.name}") has come to no end: it is ${view.state.name} (${view.state.phase}, ${view.state.reason ?? 'no reason'}) in queue ${view.queue}`
    }
    return undefined
  }

  async #stop(): Promise<void> {
    let isOver = false
    const stopping = this.#fleet.stopAll().finally(() => (isOver = true))
    stopping.catch(() => {})
    while (!isOver) await this.#step()
    await stopping
    const sessions = await this.#auditor.storage.monitor.sessions()
    if (sessions.length > 0)
      throw new Violation(
        `all servers have stopped, and ${sessions.map(({ server }) => server).join(', ')} still has a session`,
      )
    await walk(this.#auditor)
  }

  async #passes(ms: number): Promise<void> {
    const until = this.#time.monotonic() + ms
    while ((this.#time.nextInMs ?? Infinity) <= until - this.#time.monotonic()) await this.#step()
    await this.#time.advance(until - this.#time.monotonic())
  }

  async #step(): Promise<void> {
    if (this.#time.nextInMs === undefined) await settled()
    await this.#time.step()
    if (this.#failure !== null) throw this.#failure
    if (++this.#steps > mostSteps)
      throw new Violation(
        `${mostSteps} events, and no end: somebody is busy with nothing${this.#isTrouble ? '' : ' although all is calm'}`,
      )
  }
}

function isGhost(job: KnownJob): boolean {
  return job.spec.name === ghost.name
}
