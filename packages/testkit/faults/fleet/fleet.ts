import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TcpProxy } from '../../src/faults/tcp-proxy.ts'
import { machineMs } from '../evidence/entry.ts'
import type { Witnessed } from '../evidence/entry.ts'
import type { Hit } from '../evidence/evidence.ts'
import { Ledger, readLedger } from '../evidence/ledger.ts'
import type { Plan } from '../programs/plan.ts'
import type { Stage } from '../stages/stage.ts'
import { Member } from './member.ts'

export interface FleetOptions {
  readonly stage: Stage
  readonly leaseMs: number
  readonly seed?: number | undefined
}

/** A process that was told to stop has this long to end by itself. */
const stopMs = 30_000

/** Workers and producers in processes of their own, and everything that is known of them afterwards. */
export class Fleet implements AsyncDisposable {
  readonly stage: Stage
  readonly leaseMs: number
  readonly hits: Hit[] = []
  /** What the test itself enqueues stands here. */
  readonly ownLedger: Ledger
  readonly #folder: string
  readonly #seed: number
  readonly #members = new Map<string, Member>()
  readonly #names: string[] = ['harness']

  private constructor({ stage, leaseMs, seed = 1 }: FleetOptions, folder: string) {
    this.stage = stage
    this.leaseMs = leaseMs
    this.#seed = seed
    this.#folder = folder
    this.ownLedger = new Ledger(this.#pathOf('harness'))
    process.once('exit', this.#killAll)
  }

  static async open(options: FleetOptions): Promise<Fleet> {
    return new Fleet(options, await mkdtemp(join(tmpdir(), 'q-faults-')))
  }

  get members(): readonly Member[] {
    return [...this.#members.values()]
  }

  of(role: Plan['role']): readonly Member[] {
    return this.members.filter(({ plan }) => plan.role === role)
  }

  /** Starts one more process. It is at work when its `ready` resolves. */
  async start(role: Plan['role'], change: Partial<Plan> = {}): Promise<Member> {
    const name = `${role}-${this.#names.length}`
    this.#names.push(name)
    const { address } = this.stage
    const line = address === undefined ? null : await TcpProxy.open(address)
    const plan: Plan = {
      role,
      name,
      ledger: this.#pathOf(name),
      target: this.stage.target(line?.port),
      seed: this.#seed * 1000 + this.#names.length,
      leaseMs: this.leaseMs,
      concurrency: 6,
      hasPacemaker: true,
      waits: false,
      isQuiet: false,
      gapMs: 60,
      ...change,
    }
    const member = new Member(plan, line, join(tmpdir(), 'q-faults-compile-cache'))
    this.#members.set(name, member)
    return member
  }

  async kill(member: Member): Promise<void> {
    member.isTaken = true
    this.#members.delete(member.name)
    const from = machineMs()
    await member.kill()
    this.hits.push({ who: member.name, kind: 'kill', from, to: machineMs(), voids: true })
  }

  /** Something that takes a while happens to a process, or to all. */
  async during(who: string, kind: string, voids: boolean, work: () => Promise<void>): Promise<void> {
    const from = machineMs()
    try {
      await work()
    } finally {
      this.hits.push({ who, kind, from, to: machineMs(), voids })
    }
  }

  /** Every process ends by itself, without being made to. */
  async stop(role?: Plan['role']): Promise<void> {
    const leaving = role === undefined ? this.members : this.of(role)
    const ends = await Promise.allSettled(leaving.map((member) => member.stop(stopMs)))
    for (const { name } of leaving) this.#members.delete(name)
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  /** What one of them wrote. */
  entriesOf(name: string): Witnessed[] {
    return readLedger(this.#pathOf(name), name)
  }

  /** All that everyone wrote, in the order it happened. */
  entries(): Witnessed[] {
    return this.#names
      .filter((name) => existsSync(this.#pathOf(name)))
      .flatMap((name) => this.entriesOf(name))
      .sort((a, b) => a.at - b.at)
  }

  /** Also when the tests are interrupted: a frozen process would stay for ever. */
  readonly #killAll = (): void => {
    for (const { pid } of this.members) process.kill(pid, 'SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#killAll)
    await Promise.all(this.members.map((member) => member.kill()))
    this.ownLedger.close()
    await rm(this.#folder, { recursive: true, force: true })
  }

  #pathOf(name: string): string {
    return join(this.#folder, `${name}.ledger`)
  }
}
