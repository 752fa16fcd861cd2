import { execFileSync, spawn } from 'node:child_process'
import { chownSync, closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort, isFree } from './free-port.ts'
import { childrenOf, identify } from './process-identity.ts'
import { createScratchFolder, drop, isAlive, markServer, removeRunFolder, signal } from './scratch-folder.ts'
import type { Mark } from './scratch-folder.ts'

/** How to run one program as a server in a folder of its own. */
export interface ServerPlan {
  readonly name: string
  readonly command: string
  /** Second port at this distance (the bus of a Redis Cluster node). */
  readonly portDistance?: number | undefined
  /** Some servers refuse to run as root; then they run as nobody. */
  readonly refusesRoot?: boolean | undefined
  /** Fills the folder once, before the first start. */
  prepare?(place: Place): Promise<void>
  args(place: Place): readonly string[]
  url(port: number): string
  /** Resolves when the server answers, rejects when it does not. */
  probe(url: string): Promise<void>
  /** Ends the server and keeps its data; for `restart`. */
  readonly closeSignal: NodeJS.Signals
  /** Ends the server at once; its data is thrown away. */
  readonly dropSignal: NodeJS.Signals
}

export interface Place {
  readonly folder: string
  readonly port: number
  /** The ids to start programs with, when not our own. */
  readonly as: { readonly uid?: number; readonly gid?: number }
}

const startMs = 30_000
const servers = new Set<Server>()

/** A private throw-away server: its own port on 127.0.0.1, its own folder, gone after `stop` or with this process. */
export class Server implements AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly #plan: ServerPlan
  readonly #place: Place
  #mark: Mark | null = null

  /** Use `startServer`. */
  constructor(plan: ServerPlan, place: Place) {
    this.#plan = plan
    this.#place = place
    this.port = place.port
    this.url = plan.url(place.port)
  }

  get pid(): number {
    if (this.#mark === null) throw new Error(`${this.#plan.name} is not running.`)
    return this.#mark.pid
  }

  get folder(): string {
    return this.#place.folder
  }

  /** Launches the program and waits until it answers. */
  async launch(): Promise<void> {
    const { name, command, dropSignal } = this.#plan
    const log = openSync(this.#logFile, 'a')
    // A process group of its own: Ctrl-C reaches the tests first, then we stop the servers in order.
    const child = spawn(command, this.#plan.args(this.#place), {
      ...this.#place.as,
      cwd: this.#place.folder,
      stdio: ['ignore', log, log],
      detached: true,
    })
    closeSync(log)
    child.unref()
    let failure: Error | null = null
    child.once('error', (error) => (failure = error))
    servers.add(this)
    if (child.pid !== undefined) {
      this.#mark = markServer(this.#place.folder, child.pid, dropSignal)
    }
    const deadline = Date.now() + startMs
    for (;;) {
      if (failure !== null || child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
        const why = failure ?? (this.isRunning ? `did not answer within ${startMs / 1000} s` : 'ended')
        await this.#drop()
        throw new Error(`${name} on port ${this.port}: ${String(why)}. Its last words:\n${this.lastWords()}`)
      }
      try {
        await this.#plan.probe(this.url)
        return
      } catch {
        await delay(15)
      }
    }
  }

  get isRunning(): boolean {
    return this.#mark !== null && isAlive(this.#mark)
  }

  /**
   * Sends a signal. SIGKILL takes the children along, as a machine that loses power would; every signal but SIGSTOP and
   * SIGCONT is awaited until the server has ended.
   */
  async kill(name: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const mark = this.#mark
    if (mark === null || !isAlive(mark)) return
    const stays = name === 'SIGSTOP' || name === 'SIGCONT'
    // The parent first, so that it cannot mourn and replace its children.
    const family = name === 'SIGKILL' || stays ? [mark.pid, ...childrenOf(mark.pid)] : [mark.pid]
    for (const pid of family) signal(pid, name)
    if (!stays) await this.#ended(family)
  }

  /** Starts again on the same port and data; a server that still runs is closed in good order first. */
  async restart(): Promise<void> {
    if (this.isRunning) {
      await this.kill('SIGCONT')
      await this.kill(this.#plan.closeSignal)
    }
    for (const deadline = Date.now() + startMs; !(await isFree(this.port)); await delay(15)) {
      if (Date.now() > deadline)
        throw new Error(`${this.#plan.name}: port ${this.port} is still taken by another process.`)
    }
    await this.launch()
  }

  /** Ends the server and removes its data. */
  async stop(): Promise<void> {
    await this.#drop()
    rmSync(this.#place.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** The end of the server's log. */
  lastWords(): string {
    return readFileSync(this.#logFile, 'utf8').trim().split('\n').slice(-15).join('\n')
  }

  /** For the moment when this process ends and nothing can be awaited any more. */
  abandon(): void {
    if (this.#mark === null || !isAlive(this.#mark)) return
    signal(this.#mark.pid, this.#plan.dropSignal)
    signal(this.#mark.pid, 'SIGCONT')
  }

  async #drop(): Promise<void> {
    if (this.#mark !== null) await drop(this.#mark)
    servers.delete(this)
  }

  async #ended(family: readonly number[]): Promise<void> {
    const deadline = Date.now() + startMs
    while (this.isRunning || family.slice(1).some((pid) => identify(pid) !== null)) {
      if (Date.now() > deadline)
        throw new Error(`${this.#plan.name} (pid ${family[0]}) did not end in ${startMs / 1000} s.`)
      await delay(5)
    }
  }

  get #logFile(): string {
    return join(this.#place.folder, 'server.log')
  }
}

export async function startServer(plan: ServerPlan): Promise<Server> {
  for (let attempt = 1; ; attempt += 1) {
    const folder = await createScratchFolder(plan.name)
    const as = plan.refusesRoot === true ? nobody() : null
    if (as !== null) chownSync(folder, as.uid, as.gid)
    const place: Place = { folder, port: await freePort(plan.portDistance), as: as ?? {} }
    await plan.prepare?.(place)
    const server = new Server(plan, place)
    try {
      await server.launch()
      return server
    } catch (error) {
      // Between our look at the port and the server's bind another process may have taken it.
      const lostPort = !(await isFree(place.port))
      await server.stop()
      if (!lostPort || attempt === 5) throw error
    }
  }
}

/** The ids of nobody when we are root, null otherwise. */
function nobody(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

// A process that ends without stopping its servers takes them along; one that is killed leaves them to the next sweep.
process.once('exit', () => {
  for (const server of servers) server.abandon()
  const clock = new Int32Array(new SharedArrayBuffer(4))
  for (const deadline = Date.now() + 3_000; Date.now() < deadline; Atomics.wait(clock, 0, 0, 10)) {
    if (![...servers].some((server) => server.isRunning)) break
  }
  removeRunFolder()
})
