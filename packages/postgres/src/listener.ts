import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Connections } from './connection.ts'
import type { Pokes } from './pokes.ts'
import { ident } from './ident.ts'
import { canary, deaf, pricked, signOfLife } from './statements/pokes.ts'

/** How often a sign of life is sent through the server. */
const canaryMs = 15_000
/** An answer that takes longer is none. */
const silenceMs = 2_000
const mostBackOffMs = 30_000
/** Where it never worked it may work after a change of the pooler, not before. */
const deafMs = 300_000
const mostStartMs = 500

type Listening = Awaited<ReturnType<Connections['dedicated']>>

/**
 * One connection that listens for all watchers of a process. A socket can die without telling anybody, so now and then a
 * notification to ourselves has to arrive; when it does not, the connection is made anew. Where listening does not work
 * at all (a pooler in transaction mode), watchers are left to their polling.
 */
export class Listener {
  readonly #connections: Connections
  readonly #pokes: Pokes
  readonly #canaryMs: number
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
  #client: Listening | undefined
  #heard: ((nonce: string) => void) | undefined
  #ready: Promise<boolean> | undefined

  constructor(connections: Connections, pokes: Pokes, options: { readonly canaryMs?: number | undefined } = {}) {
    this.#connections = connections
    this.#pokes = pokes
    this.#canaryMs = options.canaryMs ?? canaryMs
  }

  /** Whether notifications arrive at all: through a pooler in transaction mode they do not. */
  async works(): Promise<boolean> {
    try {
      await discard(await this.#open(mostStartMs))
      return true
    } catch {
      return false
    }
  }

  /** Says what is watched now. Resolves when others know, true when their notifications arrive. */
  async update(): Promise<boolean> {
    const first = Promise.withResolvers<boolean>()
    this.#ready ??= first.promise
    this.#running ??= this.#run(first.resolve)
    await this.#prick()
    // Whoever watches does not wait for the proof: where listening does not work it is polling that helps.
    return Promise.race([this.#ready, pause(mostStartMs, false, { ref: false })])
  }

  async close(): Promise<void> {
    this.#stop.abort()
    this.#client?.end().catch(() => undefined)
    await this.#running
    if (this.#running !== undefined)
      await this.#connections.write(deaf, [this.#pokes.origin], 'pulse').catch(() => undefined)
  }

  async #prick(): Promise<void> {
    try {
      await this.#connections.write(pricked, [this.#pokes.origin, this.#pokes.topics], 'pulse')
    } catch {
      // The next sign of life says it again.
    }
  }

  async #run(onFirst: (works: boolean) => void): Promise<void> {
    const { signal } = this.#stop
    let failures = 0
    let hasWorked = false
    while (!signal.aborted) {
      try {
        this.#client = await this.#open()
        onFirst(true)
        hasWorked = true
        if (failures > 0) this.#pokes.wakeAll()
        failures = 0
        while (!signal.aborted) {
          await wait(this.#canaryMs, signal, this.#client)
          if (signal.aborted) break
          const { origin, topics, channel } = this.#pokes
          await this.#sing((song) => this.#connections.write(signOfLife, [origin, topics, channel, song], 'pulse'))
        }
      } catch {
        failures++
        onFirst(false)
      } finally {
        await discard(this.#client)
        this.#client = undefined
      }
      if (!signal.aborted) {
        // What was missed meanwhile: watchers look for themselves.
        if (hasWorked && failures === 1) this.#pokes.wakeAll()
        const backOffMs = Math.min(mostBackOffMs, 250 * 2 ** Math.min(failures, 7)) * (0.5 + Math.random())
        await wait(hasWorked || failures < 2 ? backOffMs : deafMs, signal)
      }
    }
  }

  async #open(patienceMs = silenceMs): Promise<Listening> {
    const client = await this.#connections.dedicated()
    try {
      client.on('notification', ({ payload = '' }) => this.#hear(payload))
      await client.query(`listen ${ident(this.#pokes.channel)}`)
      await this.#sing((song) => this.#connections.write(canary, [this.#pokes.channel, song], 'pulse'), patienceMs)
      return client
    } catch (error) {
      await discard(client)
      throw error
    }
  }

  #hear(payload: string): void {
    const [from, ...topics] = payload.split('\n')
    if (from === this.#pokes.origin) return
    if (from === '') this.#heard?.(topics[0] ?? '')
    else this.#pokes.wake(topics)
  }

  /** Sends a notification to ourselves through another connection, and rejects when it does not arrive. */
  async #sing(send: (song: string) => Promise<unknown>, patienceMs = silenceMs): Promise<void> {
    const nonce = randomUUID()
    const arrived = Promise.withResolvers<void>()
    const timer = setTimeout(() => arrived.reject(new Error('the connection that listens is silent')), patienceMs)
    this.#heard = (heard) => {
      if (heard === nonce) arrived.resolve()
    }
    arrived.promise.catch(() => undefined)
    try {
      await send(`\n${nonce}\n`)
      await arrived.promise
    } finally {
      clearTimeout(timer)
      this.#heard = undefined
    }
  }
}

/** Until the time is up, or the connection has said that it is gone. */
async function wait(ms: number, signal: AbortSignal, client?: Listening): Promise<void> {
  const over = new AbortController()
  const stop = (): void => over.abort()
  signal.addEventListener('abort', stop, { once: true })
  client?.once('end', stop)
  try {
    await pause(ms, undefined, { signal: over.signal, ref: false })
  } catch {
    if (!signal.aborted) throw new Error('the connection that listens has ended')
  } finally {
    signal.removeEventListener('abort', stop)
    client?.off('end', stop)
  }
}

/** Never waits for a connection that may not answer. */
async function discard(client: Listening | undefined): Promise<void> {
  if (client === undefined) return
  const ended = client.end().catch(() => undefined)
  await Promise.race([ended, pause(100, undefined, { ref: false })])
  client.connection.stream.destroy()
}
