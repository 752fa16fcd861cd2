import { Cluster, Redis } from 'ioredis'
import { setTimeout as pause } from 'node:timers/promises'
import { QError } from '@q/core/storage'
import { answerCode, isPassing, toQError } from './errors.ts'
import { pack } from './msgpack.ts'
import type { ClusterOptions, RedisOptions } from 'ioredis'
import type { Packable } from './msgpack.ts'
import type { Script } from './scripts/script.ts'

/** Where the server is: an address, sentinels, the nodes of a cluster, or a client that somebody else made. */
export type Address =
  | { readonly url: string; readonly options?: RedisOptions | undefined }
  | { readonly sentinel: SentinelAddress }
  | { readonly cluster: readonly ClusterNode[]; readonly options?: RedisOptions | undefined }
  | { readonly client: Redis | Cluster }

export type ClusterNode = string | { readonly host: string; readonly port: number }

export interface SentinelAddress {
  /** The name of the master, as the sentinels know it. */
  readonly name: string
  readonly sentinels: readonly { readonly host: string; readonly port: number }[]
  /** Credentials, database, TLS: what ioredis calls them. */
  readonly options?: RedisOptions | undefined
}

/** What an answer may be: ioredis gives buffers, so that nothing is decoded twice. */
export type Answer = null | number | Buffer | Error | Answer[]

const commandMs = 10_000
const connectMs = 3_000
const passingMs = 5_000

/**
 * One connection that heals itself. ioredis reconnects; what it must not do is send a command a second time, so nothing
 * is queued while it is down and nothing is resent. An answer that does not come in time means that the connection is
 * dead without knowing it: it is torn down and built anew.
 */
export class Connection {
  readonly client: Redis | Cluster
  readonly #hint: string
  readonly #root: string
  #flagged = false
  #closed = false
  /** In a cluster: the node that has our slot was reached since the last loss. */
  #isReached = false

  constructor(address: Address, role: string, root: string) {
    this.client = makeClient(address, role)
    this.#hint = role
    this.#root = root
    // Errors reach whoever calls; without a listener ioredis would print them.
    this.client.on('error', () => undefined)
  }

  /** From Redis 7 on scripts carry flags. */
  useFlags(): void {
    this.#flagged = true
  }

  /** Runs a script. One that only reads is sent again when its connection was lost. */
  async run<Args extends Packable>(script: Script<Args>, args: Args, onlyReads = false): Promise<Answer> {
    const source = this.#flagged ? script.flagged : script.plain
    const packed = pack(args)
    try {
      return await this.#persist('EVALSHA', [source.sha, 1, this.#root, packed], script.name, onlyReads)
    } catch (error) {
      if (answerCode(error) !== 'NOSCRIPT') throw toQError(error, script.name)
    }
    try {
      return await this.#persist('EVAL', [source.lua, 1, this.#root, packed], script.name, onlyReads)
    } catch (error) {
      throw toQError(error, script.name)
    }
  }

  /** One command that may be sent twice: a read, or a write of the same again. */
  async command(name: string, ...args: (string | number | Buffer)[]): Promise<Answer> {
    try {
      return await this.#persist(name, args, name, true)
    } catch (error) {
      throw toQError(error, name)
    }
  }

  /** Resolves when it can be used; rejects when it cannot within the time. */
  async ready(): Promise<void> {
    const { client } = this
    if (client.status === 'ready') return
    if (this.#closed || client.status === 'end') throw closedError()
    if (client.status === 'wait') client.connect().catch(() => undefined)
    let lastError: unknown
    await new Promise<void>((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer)
        client.off('ready', onReady)
        client.off('error', onError)
        client.off('end', onEnd)
      }
      const onReady = (): void => {
        done()
        resolve()
      }
      const onError = (error: unknown): void => {
        lastError = error
      }
      const onEnd = (): void => {
        done()
        reject(closedError())
      }
      const timer = setTimeout(() => {
        done()
        const why = lastError instanceof Error ? ` (${lastError.message})` : ''
        reject(
          new QError('Q_STORAGE_UNAVAILABLE', `Redis cannot be reached${why}: nothing was sent, try again later.`, {
            cause: lastError,
          }),
        )
      }, connectMs)
      client.on('ready', onReady)
      client.on('error', onError)
      client.on('end', onEnd)
    })
  }

  /** The servers behind it, to be asked one by one. */
  masters(): ((name: string, ...args: string[]) => Promise<Answer>)[] {
    if (!isCluster(this.client)) return [(name, ...args) => this.command(name, ...args)]
    return this.client.nodes('master').map((node) => async (name: string, ...args: string[]) => {
      try {
        return (await node.callBuffer(name, ...args)) as Answer
      } catch (error) {
        throw toQError(error, name)
      }
    })
  }

  close(): void {
    this.#closed = true
    this.client.disconnect()
  }

  /**
   * Repeats what a server certainly did not do while it is starting, failing over or being resharded; and what may be
   * done twice also when its answer was lost.
   */
  async #persist(
    name: string,
    args: (string | number | Buffer)[],
    operation: string,
    mayRepeat: boolean,
  ): Promise<Answer> {
    const giveUpAt = performance.now() + passingMs
    for (let delayMs = 20; ; delayMs = Math.min(delayMs * 2, 500)) {
      if (this.client.status !== 'ready') await this.ready()
      try {
        if (!this.#isReached && isCluster(this.client)) await this.#reach(giveUpAt)
        return await this.#send(name, args, operation)
      } catch (error) {
        const isLost = answerCode(error) === null
        if (isLost) this.#isReached = false
        const again = isPassing(error) || (isLost && mayRepeat && !(error instanceof QError))
        if (!again || this.#closed || performance.now() + delayMs > giveUpAt) throw error
      }
      await pause(delayMs)
    }
  }

  /**
   * A cluster connects to a node when the first command for it comes, and calls that command lost when that fails. So a
   * harmless one goes ahead.
   */
  async #reach(giveUpAt: number): Promise<void> {
    for (let delayMs = 20; ; delayMs = Math.min(delayMs * 2, 500)) {
      try {
        await this.client.callBuffer('EXISTS', this.#root)
        this.#isReached = true
        return
      } catch (error) {
        if (this.#closed || performance.now() + delayMs > giveUpAt) {
          throw new QError('Q_STORAGE_UNAVAILABLE', 'No node of the cluster can be reached: nothing was sent.', {
            cause: error,
          })
        }
      }
      await pause(delayMs)
    }
  }

  #send(name: string, args: (string | number | Buffer)[], operation: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#rebuild()
        reject(
          new QError(
            'Q_AMBIGUOUS',
            `Redis did not answer "${operation}" within ${commandMs} ms on the ${this.#hint} connection, which is being rebuilt.`,
          ),
        )
      }, commandMs)
      const settle = <T>(then: (value: T) => void): ((value: T) => void) => {
        return (value) => {
          clearTimeout(timer)
          then(value)
        }
      }
      this.client.callBuffer(name, ...args).then(settle(resolve as (value: unknown) => void), settle(reject))
    })
  }

  #rebuild(): void {
    this.client.disconnect(true)
  }
}

export function closedError(): QError {
  return new QError('Q_STORAGE_UNAVAILABLE', 'This storage is closed. Open another one to go on.')
}

/** What a thread needs to make its own connection: only what can be copied to it. */
export function copyableAddress(address: Address): Address | null {
  const copy = 'client' in address ? addressOf(address.client) : address
  try {
    return structuredClone(copy)
  } catch (error) {
    // A function among the options (a TLS check, a strategy) cannot cross: then there is no thread.
    if (error instanceof DOMException) return null
    throw error
  }
}

function addressOf(client: Redis | Cluster): Address {
  if (client instanceof Cluster || 'startupNodes' in client) {
    const nodes = (client as Cluster).nodes().map(({ options }) => ({ host: options.host!, port: options.port! }))
    return { cluster: nodes, options: plainOptions((client as Cluster).options.redisOptions ?? {}) }
  }
  const { options } = client as Redis
  const url = `redis://${options.host ?? '127.0.0.1'}:${options.port ?? 6379}`
  return { url, options: plainOptions(options) }
}

/** The options that say where and as whom; strategies stay behind. */
function plainOptions(options: RedisOptions): RedisOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => typeof value !== 'function' && value !== undefined),
  ) as RedisOptions
}

/** Nothing is queued, nothing is sent twice, and it never gives up coming back. */
const ours: RedisOptions = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  enableAutoPipelining: false,
  connectTimeout: connectMs,
  disconnectTimeout: 200,
  keepAlive: 10_000,
  noDelay: true,
  retryStrategy: backOff,
  // A demoted master answers so: the name may lead to the new one by now.
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
}

function backOff(attempt: number): number {
  return Math.min(2_000, 25 * 2 ** Math.min(attempt, 8)) * (0.75 + Math.random() / 4)
}

/** For wake-ups: a subscription is made again by itself, and what waits for it may wait. */
export function makeSubscriberClient(address: Address, isSharded: boolean): Redis | Cluster {
  const client = makeClient(address, 'wakeups', { enableOfflineQueue: true, maxRetriesPerRequest: null }, isSharded)
  client.on('error', () => undefined)
  return client
}

/** Options in which the shape of answers is said: the same with both versions of ioredis and of the protocol. */
type DriverOptions = RedisOptions & { readonly replyMapping: 'legacy' }

function makeClient(address: Address, role: string, more: RedisOptions = {}, isSharded = false): Redis | Cluster {
  const options: DriverOptions = { ...ours, ...more, connectionName: `q-${role}`, replyMapping: 'legacy' }
  if ('client' in address) {
    const { client } = address
    // Their own connection may queue and resend, which a call must never do: ours is a twin of it.
    return isCluster(client)
      ? client.duplicate([], clusterOptions({ ...client.options.redisOptions, ...options }, isSharded))
      : client.duplicate(options)
  }
  if ('cluster' in address) {
    return new Cluster([...address.cluster], clusterOptions({ ...address.options, ...options }, isSharded))
  }
  if ('sentinel' in address) {
    const { name, sentinels } = address.sentinel
    const found: DriverOptions = {
      ...address.sentinel.options,
      ...options,
      name,
      sentinels: sentinels.map(({ host, port }) => ({ host, port })),
      sentinelRetryStrategy: backOff,
      failoverDetector: true,
    }
    return new Redis(found)
  }
  const given: DriverOptions = { ...address.options, ...options }
  return new Redis(address.url, given)
}

export function isCluster(client: Redis | Cluster): client is Cluster {
  return client.isCluster
}

type ShardOptions = Omit<ClusterOptions, 'redisOptions'> & { readonly redisOptions: DriverOptions }

function clusterOptions(redisOptions: DriverOptions, isSharded: boolean): ShardOptions {
  const options: ShardOptions = {
    redisOptions,
    lazyConnect: true,
    enableOfflineQueue: redisOptions.enableOfflineQueue === true,
    shardedSubscribers: isSharded,
    // With a delay here ioredis would send again what was under way when a node went.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 100,
    retryDelayOnTryAgain: 100,
    slotsRefreshTimeout: 2_000,
    clusterRetryStrategy: backOff,
  }
  return options
}
