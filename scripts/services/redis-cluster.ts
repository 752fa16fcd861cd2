import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { busDistance, startRedis } from './redis.ts'
import type { RedisOptions } from './redis.ts'
import type { Server } from './server.ts'

const slots = 16_384
const formedMs = 30_000

/** Three masters, no replicas: what a client needs to prove that its keys share a slot and that it follows redirects. */
export class RedisCluster implements AsyncDisposable {
  readonly nodes: readonly Server[]

  constructor(nodes: readonly Server[]) {
    this.nodes = nodes
  }

  get urls(): string[] {
    return this.nodes.map(({ url }) => url)
  }

  async kill(name: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill(name)))
  }

  /** Resolves when all nodes are back and the cluster serves every slot again. */
  async restart(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.restart()))
    await untilFormed(this.nodes)
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

export async function startRedisCluster(options: RedisOptions = {}): Promise<RedisCluster> {
  const settings = { 'cluster-enabled': 'yes', 'cluster-node-timeout': '2000', ...options.settings }
  const started = await Promise.allSettled([0, 1, 2].map(() => startRedis({ ...options, settings })))
  const nodes = started.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []))
  const cluster = new RedisCluster(nodes)
  try {
    for (const start of started) if (start.status === 'rejected') throw start.reason
    await join(nodes)
    await untilFormed(nodes)
    return cluster
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

async function join(nodes: readonly Server[]): Promise<void> {
  const share = Math.ceil(slots / nodes.length)
  for (const [index, node] of nodes.entries()) {
    await ask(node, async (redis) => {
      const last = Math.min(slots, (index + 1) * share)
      await redis.cluster(
        'ADDSLOTS',
        ...Array.from({ length: last - index * share }, (_, slot) => index * share + slot),
      )
      await redis.cluster('SET-CONFIG-EPOCH', index + 1)
      for (const other of nodes.slice(0, index)) {
        await redis.call('CLUSTER', 'MEET', '127.0.0.1', other.port, other.port + busDistance)
      }
    })
  }
}

async function untilFormed(nodes: readonly Server[]): Promise<void> {
  const deadline = Date.now() + formedMs
  for (const node of nodes) {
    while (!(await isFormed(node, nodes.length))) {
      if (Date.now() > deadline)
        throw new Error(`The Redis cluster did not form in 30 s. A node says:\n${node.lastWords()}`)
      await delay(25)
    }
  }
}

/** Every node must know the way to all slots itself, or a client could be sent in circles. */
async function isFormed(node: Server, size: number): Promise<boolean> {
  return ask(node, async (redis) => {
    const info = await redis.cluster('INFO')
    const ranges = (await redis.cluster('SLOTS')) as unknown[]
    return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${size}`) && ranges.length === size
  })
}

async function ask<T>(node: Server, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(node.url, { lazyConnect: true, retryStrategy: () => null })
  redis.on('error', () => undefined)
  try {
    await redis.connect()
    return await question(redis)
  } finally {
    redis.disconnect()
  }
}
