import { Redis } from 'ioredis'
import { findPrograms, redisServer } from './find-programs.ts'
import { hereAndNow } from './here-and-now.ts'
import { startServer } from './server.ts'
import type { Server } from './server.ts'

export interface RedisOptions {
  /** When the append-only file reaches the disk; default: no file at all. */
  readonly aof?: 'always' | 'everysec' | undefined
  /** More settings by their name in redis.conf. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

/** Distance of a cluster node's second port, the bus on which the nodes talk. */
export const busDistance = 10_000

export async function startRedis(options: RedisOptions = {}): Promise<Server> {
  const { aof, settings = {} } = options
  const isNode = settings['cluster-enabled'] === 'yes'
  const program = await findPrograms([redisServer], hereAndNow)
  return startServer({
    name: isNode ? 'redis-cluster-node' : 'redis',
    command: program.get(redisServer) ?? '',
    portDistance: isNode ? busDistance : undefined,
    args: ({ folder, port }) => {
      const all = {
        bind: '127.0.0.1',
        port: String(port),
        dir: folder,
        save: '',
        appendonly: aof === undefined ? 'no' : 'yes',
        ...(aof === undefined ? {} : { appendfsync: aof }),
        ...settings,
      }
      return Object.entries(all).flatMap(([name, value]) => [`--${name}`, value])
    },
    url: (port) => `redis://127.0.0.1:${port}`,
    probe: probeRedis,
    closeSignal: 'SIGTERM',
    dropSignal: 'SIGKILL',
  })
}

/** Resolves when a Redis answers at this address. */
export async function probeRedis(url: string): Promise<void> {
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: 5_000,
    // Else a try that was refused would keep the process alive for two more seconds.
    disconnectTimeout: 1,
  })
  // The reason is in the rejection; without a listener ioredis would print it as well.
  redis.on('error', () => undefined)
  try {
    await redis.connect()
    await redis.ping()
  } finally {
    redis.disconnect()
  }
}
