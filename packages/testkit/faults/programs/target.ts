import type { JobStorage } from '@q/core/storage'

/** Where the jobs of a fleet are, as plain data that travels to its processes. */
export type Target =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly schema: string }
  | { readonly kind: 'redis'; readonly url: string; readonly namespace: string }

/** Only the adapter that is needed is loaded: processes start, and die, often. */
export async function openTarget(target: Target): Promise<JobStorage> {
  switch (target.kind) {
    case 'sqlite': {
      const { sqliteStorage } = await import('../../../sqlite/src/index.ts')
      // Every commit waits for the disk (synchronous = FULL).
      return sqliteStorage({ path: target.path, durable: true })
    }
    case 'postgres': {
      const { postgresStorage } = await import('../../../postgres/src/index.ts')
      return postgresStorage({ connectionString: target.url, schema: target.schema, connections: 3 })
    }
    case 'redis': {
      const { redisStorage } = await import('../../../redis/src/index.ts')
      return redisStorage({ url: target.url, namespace: target.namespace })
    }
  }
}
