import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { JobStorage, Ms } from '@q/core/storage'
import { QError } from '@q/core/storage'
import type { QErrorCode } from '@q/core/storage'

/** A module that exports `openStorage(argument): JobStorage`, and what to give it. */
export interface ChildOrigin {
  readonly module: string | URL
  readonly argument: string
}

/** What the child is asked, and what it answers. */
export interface ChildCall {
  readonly id: number
  readonly path: readonly string[]
  readonly args: readonly unknown[]
}
export type ChildReply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly code: string | null; readonly message: string } }

export interface ChildPlan {
  readonly module: string
  readonly argument: string
  readonly clockShiftMs: Ms
}

/** A storage opened in a process of its own, which can be killed and frozen. Its calls are made over there. */
export interface ChildStorage extends AsyncDisposable {
  readonly storage: JobStorage
  /** SIGKILL: no goodbye. Resolves when the process is gone; calls in flight are ambiguous. */
  kill(): Promise<void>
  freeze(): void
  thaw(): void
}

const rooms = ['jobs', 'work', 'upkeep', 'recurring', 'locks', 'queues', 'monitor', 'wakeups']

export async function openChild(
  origin: ChildOrigin,
  options: { readonly clockShiftMs?: Ms } = {},
): Promise<ChildStorage> {
  const plan: ChildPlan = {
    module: String(origin.module),
    argument: origin.argument,
    clockShiftMs: options.clockShiftMs ?? 0,
  }
  const fromSource = import.meta.url.endsWith('.ts')
  const program = new URL(fromSource ? './child-program.ts' : './child-program.js', import.meta.url)
  const process = fork(fileURLToPath(program), [JSON.stringify(plan)], {
    serialization: 'advanced',
    execArgv: fromSource ? ['--conditions=@q/source', '--disable-warning=ExperimentalWarning'] : [],
  })
  const remote = new Remote(process)
  const [capabilities, label] = (await remote.call(['hello'], [])) as [JobStorage['capabilities'], string]
  return {
    storage: remoteStorage(remote, capabilities, label),
    async kill() {
      await remote.end('SIGKILL')
    },
    freeze: () => void process.kill('SIGSTOP'),
    thaw: () => void process.kill('SIGCONT'),
    async [Symbol.asyncDispose]() {
      await remote.end('SIGKILL')
    },
  }
}

class Remote {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #last = 0

  constructor(process: ChildProcess) {
    this.#process = process
    process.on('message', (reply) => this.#settle(reply as ChildReply))
    process.on('exit', () => this.#giveUp())
  }

  call(path: readonly string[], args: readonly unknown[]): Promise<unknown> {
    const waiting = Promise.withResolvers<unknown>()
    const call: ChildCall = { id: ++this.#last, path, args }
    this.#waiting.set(call.id, waiting)
    this.#process.send(call, (error) => {
      if (error) this.#settle({ id: call.id, error: { code: 'Q_AMBIGUOUS', message: 'The process is gone.' } })
    })
    return waiting.promise
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const gone = once(this.#process, 'exit')
    this.#process.kill(signal)
    await gone
  }

  #settle(reply: ChildReply): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if ('value' in reply) waiting?.resolve(reply.value)
    else waiting?.reject(toError(reply.error))
  }

  #giveUp(): void {
    for (const id of this.#waiting.keys()) {
      this.#settle({ id, error: { code: 'Q_AMBIGUOUS', message: 'The process died before it answered.' } })
    }
  }
}

function toError(error: { readonly code: string | null; readonly message: string }): Error {
  // The code was read off a QError over there.
  return error.code === null ? new Error(error.message) : new QError(error.code as QErrorCode, error.message)
}

function remoteStorage(remote: Remote, capabilities: JobStorage['capabilities'], label: string): JobStorage {
  const made: Record<string | symbol, unknown> = {
    label,
    capabilities,
    start: () => remote.call(['start'], []),
    close: () => remote.call(['close'], []),
    [Symbol.asyncDispose]: () => remote.call(['close'], []),
  }
  for (const room of rooms) {
    made[room] = new Proxy(
      {},
      {
        get: (_, method) =>
          typeof method === 'string' ? (...args: unknown[]) => remote.call([room, method], args) : undefined,
      },
    )
  }
  // Every room and method is forwarded by name: the shape is that of the storage over there.
  return made as unknown as JobStorage
}
