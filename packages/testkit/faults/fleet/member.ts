import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { TcpProxy } from '../../src/faults/tcp-proxy.ts'
import type { Order, Plan, Report, Swallowed } from '../programs/plan.ts'

/**
 * V8 gives the young generation 48 MB when it sees fit, at once and at no certain time. Given from the start, they do not
 * pass for memory that something holds.
 */
const grownHeap = ['--min-semi-space-size=16', '--max-semi-space-size=16']

/** One process of the fleet, seen from outside. */
export class Member {
  readonly plan: Plan
  /** Its line to the server; null where there is none. */
  readonly line: TcpProxy | null
  /** Some fault has it in its hands: others look for another one. */
  isTaken = false
  readonly #process: ChildProcess
  readonly #output: string
  /** By method: how many answers it was told to swallow, how many it has swallowed, and how many of those were counted. */
  readonly #ordered = new Map<Swallowed, number>()
  readonly #swallowed = new Map<Swallowed, number>()
  readonly #counted = new Map<Swallowed, number>()
  #isReady = false
  #isGone = false

  constructor(plan: Plan, line: TcpProxy | null, compileCache: string) {
    this.plan = plan
    this.line = line
    this.#output = `${plan.ledger}.output`
    const output = openSync(this.#output, 'a')
    const program = fileURLToPath(new URL('../programs/program.ts', import.meta.url))
    const flags = [
      '--conditions=@q/source',
      '--disable-warning=ExperimentalWarning',
      ...(plan.isQuiet ? grownHeap : []),
    ]
    this.#process = spawn(process.execPath, [...flags, program, JSON.stringify(plan)], {
      stdio: ['ignore', output, output, 'ipc'],
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
    })
    closeSync(output)
    this.#process.on('message', (report: Report) => {
      if ('ready' in report) this.#isReady = true
      else increase(this.#swallowed, report.swallowed)
    })
    this.#process.once('exit', () => (this.#isGone = true))
    // A channel that breaks because the process was killed is no news.
    this.#process.on('error', () => undefined)
  }

  get name(): string {
    return this.plan.name
  }

  get pid(): number {
    return this.#process.pid!
  }

  /** At work, and in nobody's hands. */
  get isFree(): boolean {
    return this.#isReady && !this.#isGone && !this.isTaken
  }

  get isGone(): boolean {
    return this.#isGone
  }

  /** Has the next answer to this method swallowed; an order that still waits for one is not given again. */
  swallow(method: Swallowed): void {
    if ((this.#ordered.get(method) ?? 0) > (this.#swallowed.get(method) ?? 0)) return
    increase(this.#ordered, method)
    this.tell({ do: 'swallow', method })
  }

  /** True once for each answer that was swallowed, however late. */
  countSwallowed(method: Swallowed): boolean {
    if ((this.#counted.get(method) ?? 0) >= (this.#swallowed.get(method) ?? 0)) return false
    increase(this.#counted, method)
    return true
  }

  /** Resolves when it is at work, or dead. */
  async ready(): Promise<void> {
    if (!this.#isReady && !this.#isGone)
      await Promise.race([once(this.#process, 'message'), once(this.#process, 'exit')])
    if (this.#isGone && !this.#isReady) throw new Error(`${this.name} died before it was ready:\n${this.lastWords()}`)
  }

  tell(order: Order): void {
    this.#process.send(order, () => undefined)
  }

  freeze(): void {
    this.#process.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    if (this.#isGone) return
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await gone
    await this.line?.[Symbol.asyncDispose]()
  }

  /** Tells it to stop, and waits until it has ended by itself: nothing of it is left that keeps a process alive. */
  async stop(withinMs: number): Promise<void> {
    if (this.#isGone) return
    const gone = once(this.#process, 'exit')
    this.tell({ do: 'stop' })
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), withinMs)
    const [code, signal] = (await gone) as [number | null, NodeJS.Signals | null]
    clearTimeout(timer)
    await this.line?.[Symbol.asyncDispose]()
    if (code !== 0) {
      const how = signal === null ? `with code ${code}` : `only by ${signal}, ${withinMs} ms after it was told to stop`
      throw new Error(`${this.name} ended ${how}:\n${this.lastWords()}`)
    }
  }

  lastWords(): string {
    return readFileSync(this.#output, 'utf8').slice(-2000)
  }
}

function increase(counts: Map<Swallowed, number>, method: Swallowed): void {
  counts.set(method, (counts.get(method) ?? 0) + 1)
}
