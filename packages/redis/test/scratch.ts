import { randomBytes } from 'node:crypto'
import { Cluster, Redis } from 'ioredis'
import { redisStorage } from '@q/redis'
import type { RestartableServer, ScratchStorage } from '@q/testkit'
import { startRedis } from '../../../scripts/services/index.ts'

/** Where the tests' servers are: told by the environment, which `scripts/services` prepares. */
export function redisUrl(): string {
  return required('REDIS_URL')
}

export function clusterUrls(): readonly string[] {
  return required('REDIS_CLUSTER_URLS').split(',')
}

function required(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: run the tests through "npm test", which starts the servers.`)
  return value
}

export function newNamespace(): string {
  return `test-${randomBytes(8).toString('hex')}`
}

/** A storage on the tests' server, under a namespace of its own. */
export function openScratch(): ScratchStorage {
  const url = redisUrl()
  const [namespace, other] = [newNamespace(), newNamespace()]
  const { hostname, port } = new URL(url)
  return {
    storage: redisStorage({ url, namespace }),
    another: () => redisStorage({ url, namespace }),
    elsewhere: () => redisStorage({ url, namespace: other }),
    network: {
      host: hostname,
      port: Number(port || 6379),
      via: (address) => redisStorage({ url: `redis://${address.host}:${address.port}`, namespace }),
    },
    child: {
      module: new URL('./open-in-child.ts', import.meta.url),
      argument: JSON.stringify({ url, namespace }),
    },
    restartable,
    dispose: () => removeNamespaces(new Redis(url), [namespace, other]),
  }
}

export function openClusterScratch(): ScratchStorage {
  const cluster = clusterUrls()
  const [namespace, other] = [newNamespace(), newNamespace()]
  return {
    storage: redisStorage({ cluster, namespace }),
    another: () => redisStorage({ cluster, namespace }),
    elsewhere: () => redisStorage({ cluster, namespace: other }),
    child: {
      module: new URL('./open-in-child.ts', import.meta.url),
      argument: JSON.stringify({ cluster, namespace }),
    },
    dispose: () => removeNamespaces(new Cluster([...cluster]), [namespace, other]),
  }
}

/** A server of its own that writes everything to its log before it answers. */
async function restartable(): Promise<RestartableServer> {
  const server = await startRedis({ aof: 'always' })
  const namespace = newNamespace()
  return {
    open: () => redisStorage({ url: server.url, namespace }),
    kill: () => server.kill(),
    restart: () => server.restart(),
    stop: () => server.stop(),
  }
}

/** By their own prefix and nothing else. */
export async function removeNamespaces(client: Redis | Cluster, namespaces: readonly string[]): Promise<void> {
  const nodes = client.isCluster ? (await connected(client as Cluster)).nodes('master') : [client as Redis]
  for (const node of nodes) {
    for (const namespace of namespaces) {
      let cursor = '0'
      do {
        const [next, keys] = await node.scanBuffer(cursor, 'MATCH', `{${namespace}}:*`, 'COUNT', 1000)
        cursor = next.toString()
        if (keys.length > 0) await node.unlink(...keys)
      } while (cursor !== '0')
    }
  }
  client.disconnect()
}

async function connected(cluster: Cluster): Promise<Cluster> {
  await cluster.ping()
  return cluster
}
