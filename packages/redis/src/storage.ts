import { QError } from '@q/core/storage'
import { Connection, closedError, copyableAddress, isCluster, makeSubscriberClient } from './connection.ts'
import { createJobs } from './jobs.ts'
import { keysOf } from './keys.ts'
import { createLocks } from './locks.ts'
import { createMonitor } from './monitor.ts'
import { createPacemaker } from './pacemaker.ts'
import { probeServers } from './probe-server.ts'
import { createQueues } from './queues.ts'
import { createRecurring } from './recurring.ts'
import { createSubscriber } from './subscriber.ts'
import { createUpkeep } from './upkeep.ts'
import { createWakeups } from './wakeups.ts'
import { createWork } from './work.ts'
import type {
  Capabilities,
  JobStorage,
  JobsRoom,
  LocksRoom,
  MonitorRoom,
  QueuesRoom,
  RecurringRoom,
  UpkeepRoom,
  WakeupsRoom,
  WorkRoom,
} from '@q/core/storage'
import type { Cluster, Redis, RedisOptions } from 'ioredis'
import type { Address, Answer, ClusterNode, SentinelAddress } from './connection.ts'
import type { Database } from './database.ts'
import type { Keys } from './keys.ts'
import type { Subscriber } from './subscriber.ts'

export interface RedisStorageOptions {
  /** `redis://user:password@host:6379/0`, or `rediss://` for TLS. */
  readonly url?: string | undefined
  /** A client of your own (ioredis 5 or 6): its options are used for connections beside it, and it is never closed. */
  readonly client?: Redis | Cluster | undefined
  /** Some nodes of a cluster; the others are found. */
  readonly cluster?: readonly ClusterNode[] | undefined
  /** A master that sentinels know by name. */
  readonly sentinel?: SentinelAddress | undefined
  /** What ioredis takes: credentials, TLS, database. */
  readonly redis?: RedisOptions | undefined
  /** What all keys are under. Storages with different namespaces never see each other. Default "q". */
  readonly namespace?: string | undefined
}

const maxBatch = 1_000
const maxPayload = 8 * 1024 * 1024

/**
 * Jobs in Redis or Valkey: one server, a master behind sentinels, or a cluster (a namespace lives in one slot of it).
 *
 * @example
 * await using storage = redisStorage('redis://localhost:6379')
 */
export function redisStorage(target: string | RedisStorageOptions): RedisStorage {
  const options: RedisStorageOptions = typeof target === 'string' ? { url: target } : target
  return new RedisStorage(addressOf(options), options.namespace ?? 'q')
}

export class RedisStorage implements JobStorage {
  readonly jobs: JobsRoom
  readonly work: WorkRoom
  readonly upkeep: UpkeepRoom
  readonly recurring: RecurringRoom
  readonly locks: LocksRoom
  readonly queues: QueuesRoom
  readonly monitor: MonitorRoom
  readonly wakeups: WakeupsRoom
  readonly #address: Address
  readonly #keys: Keys
  readonly #namespace: string
  readonly #wakeups: { close(): void }
  #capabilities: Capabilities = {
    durability: 'none',
    transactionalCreate: false,
    syncCreate: false,
    push: true,
    multiProcess: true,
    multiHost: true,
    search: 'scan',
    maxBatch,
    callsInFlight: 2,
    maxPayload,
  }
  #note = ''
  #publishCommand = 'PUBLISH'
  readonly #connections = new Map<Role, Connection>()
  readonly #inFlight = new Set<Promise<unknown>>()
  #subscriber: Subscriber | undefined
  #flagged = false
  #isOpen = false
  #started: Promise<void> | undefined
  #closed = false

  constructor(address: Address, namespace: string) {
    this.#address = address
    this.#namespace = namespace
    this.#keys = keysOf(namespace)
    const db = this.#database()
    this.jobs = createJobs(db)
    this.work = {
      ...createWork(db),
      ...createPacemaker({ address: () => copyableAddress(address), keys: this.#keys }),
    }
    this.upkeep = createUpkeep(db)
    this.recurring = createRecurring(db)
    this.locks = createLocks(db)
    this.queues = createQueues(db)
    this.monitor = createMonitor(db)
    const wakeups = createWakeups({
      keys: this.#keys,
      start: () => this.start(),
      subscriber: () => (this.#subscriber ??= this.#makeSubscriber()),
      command: (name, ...args) => this.#connection('pulse').command(name, ...args),
    })
    this.wakeups = wakeups.room
    this.#wakeups = wakeups
  }

  get label(): string {
    return `redis ${placeOf(this.#address)} namespace "${this.#namespace}"${this.#note}`
  }

  get capabilities(): Capabilities {
    return this.#capabilities
  }

  async start(): Promise<void> {
    if (this.#closed) throw closedError()
    this.#started ??= this.#open()
    try {
      await this.#started
    } catch (error) {
      this.#started = undefined
      throw error
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#wakeups.close()
    this.#subscriber?.close()
    await Promise.allSettled(this.#inFlight)
    for (const connection of this.#connections.values()) connection.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #open(): Promise<void> {
    const commands = this.#connection('commands')
    const probe = await probeServers(commands)
    this.#capabilities = { ...this.#capabilities, durability: probe.durability }
    this.#flagged = probe.major >= 7
    if (this.#flagged) for (const connection of this.#connections.values()) connection.useFlags()
    if (this.#flagged && isCluster(commands.client)) this.#publishCommand = 'SPUBLISH'
    this.#note = probe.isGuess ? ' (its settings cannot be read: eviction and durability are not proven)' : ''
    this.#isOpen = true
  }

  #database(): Database {
    return {
      keys: this.#keys,
      maxBatch,
      maxPayload,
      publishCommand: () => this.#publishCommand,
      run: (script, args) => this.#call('commands', (connection) => connection.run(script, args)),
      pulse: (script, args) => this.#call('pulse', (connection) => connection.run(script, args)),
      look: (script, args) => this.#call('reads', (connection) => connection.run(script, args, true)),
      read: (command, ...args) => this.#call('reads', (connection) => connection.command(command, ...args)),
    }
  }

  /** Closing waits for every call that came before it. */
  async #call(role: Role, work: (connection: Connection) => Promise<Answer>): Promise<Answer> {
    if (this.#closed) throw closedError()
    const call = this.#isOpen ? work(this.#connection(role)) : this.start().then(() => work(this.#connection(role)))
    this.#inFlight.add(call)
    try {
      return await call
    } finally {
      this.#inFlight.delete(call)
    }
  }

  /** Made when it is first needed. */
  #connection(role: Role): Connection {
    let connection = this.#connections.get(role)
    if (connection === undefined) {
      connection = new Connection(this.#address, role, this.#keys.root)
      if (this.#flagged) connection.useFlags()
      this.#connections.set(role, connection)
    }
    return connection
  }

  #makeSubscriber(): Subscriber {
    const isSharded = this.#publishCommand === 'SPUBLISH'
    return createSubscriber(makeSubscriberClient(this.#address, isSharded), this.#keys.of('wakeups'), isSharded)
  }
}

/** Commands; heartbeats, answered while a command is stalled; what people read. */
type Role = 'commands' | 'pulse' | 'reads'

function addressOf(options: RedisStorageOptions): Address {
  const { url, client, cluster, sentinel, redis } = options
  const given = [url, client, cluster, sentinel].filter((value) => value !== undefined)
  if (given.length !== 1) {
    throw new QError('Q_OPTION_INVALID', 'redisStorage takes exactly one of "url", "client", "cluster" and "sentinel".')
  }
  if (options.namespace === '') throw new QError('Q_OPTION_INVALID', 'A namespace needs at least one character.')
  if (client) return { client }
  if (cluster) return { cluster, options: redis }
  if (sentinel) return { sentinel: { ...sentinel, options: { ...redis, ...sentinel.options } } }
  if (!/^rediss?:\/\//.test(url!) || !URL.canParse(url!)) {
    throw new QError(
      'Q_OPTION_INVALID',
      `"${withoutSecret(url!)}" is not a Redis URL: redis://host:6379 or rediss://host:6379 is.`,
    )
  }
  return { url: url!, options: redis }
}

/** For people: where it is, without secrets. */
function placeOf(address: Address): string {
  if ('url' in address) return withoutSecret(address.url)
  if ('sentinel' in address) return `master "${address.sentinel.name}"`
  if ('cluster' in address) {
    return `cluster of ${address.cluster.map((node) => (typeof node === 'string' ? withoutSecret(node) : `${node.host}:${node.port}`)).join(', ')}`
  }
  return isCluster(address.client) ? 'cluster' : `${address.client.options.host}:${address.client.options.port}`
}

function withoutSecret(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//')
}
