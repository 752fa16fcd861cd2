import { chromium, findPrograms, pgBouncer, postgresServer, redisServer } from './find-programs.ts'
import type { Program } from './find-programs.ts'
import { hereAndNow } from './here-and-now.ts'
import { startPgBouncer } from './pgbouncer.ts'
import { probePostgres, startPostgres } from './postgres.ts'
import { startRedisCluster } from './redis-cluster.ts'
import { probeRedis, startRedis } from './redis.ts'

export const serviceNames = ['redis', 'redis-cluster', 'postgres', 'pgbouncer', 'chromium'] as const

export type ServiceName = (typeof serviceNames)[number]

/** What tests find in their environment. */
export type ServiceVariable = 'REDIS_URL' | 'REDIS_CLUSTER_URLS' | 'DATABASE_URL' | 'PGBOUNCER_URL' | 'CHROMIUM_PATH'

export interface Services extends AsyncDisposable {
  readonly env: Partial<Record<ServiceVariable, string>>
  stop(): Promise<void>
}

const programs: Record<ServiceName, Program> = {
  redis: redisServer,
  'redis-cluster': redisServer,
  postgres: postgresServer,
  pgbouncer: pgBouncer,
  chromium,
}

const variables: Record<ServiceName, ServiceVariable> = {
  redis: 'REDIS_URL',
  'redis-cluster': 'REDIS_CLUSTER_URLS',
  postgres: 'DATABASE_URL',
  pgbouncer: 'PGBOUNCER_URL',
  chromium: 'CHROMIUM_PATH',
}

/**
 * Everything tests need: a server that is named in the environment is probed and used as it is, any other is started,
 * private and on a free port. A server that merely happens to run on this machine is never used.
 */
export async function startServices(wanted: readonly ServiceName[] = serviceNames): Promise<Services> {
  // PgBouncer stands in front of a PostgreSQL.
  const names = new Set<ServiceName>(wanted.includes('pgbouncer') ? ['postgres', ...wanted] : wanted)
  const given = new Map<ServiceName, string>()
  for (const name of names) {
    const value = process.env[variables[name]]
    if (value !== undefined && value !== '') given.set(name, value)
  }
  for (const [name, value] of given) await probeGiven(name, value)

  const missing = [...names].filter((name) => !given.has(name))
  const found = await findPrograms([...new Set(missing.map((name) => programs[name]))], hereAndNow)

  const env: Partial<Record<ServiceVariable, string>> = {}
  for (const [name, value] of given) env[variables[name]] = value
  const stops: Array<() => Promise<void>> = []
  const start: Record<ServiceName, () => Promise<void>> = {
    async redis() {
      const server = await startRedis()
      stops.push(() => server.stop())
      env.REDIS_URL = server.url
    },
    async 'redis-cluster'() {
      const cluster = await startRedisCluster()
      stops.push(() => cluster.stop())
      env.REDIS_CLUSTER_URLS = cluster.urls.join(',')
    },
    async postgres() {
      const server = await startPostgres()
      stops.push(() => server.stop())
      env.DATABASE_URL = server.url
    },
    async pgbouncer() {
      const server = await startPgBouncer(env.DATABASE_URL ?? '')
      stops.push(() => server.stop())
      env.PGBOUNCER_URL = server.url
    },
    async chromium() {
      env.CHROMIUM_PATH = found.get(chromium) ?? ''
    },
  }
  const stop = async (): Promise<void> => {
    await Promise.all(stops.splice(0).map((stopOne) => stopOne()))
  }

  const first = missing.filter((name) => name !== 'pgbouncer').map((name) => start[name]())
  const outcomes = await Promise.allSettled(first)
  try {
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    if (missing.includes('pgbouncer')) await start.pgbouncer()
  } catch (error) {
    await stop()
    throw error
  }
  return { env, stop, [Symbol.asyncDispose]: stop }
}

async function probeGiven(name: ServiceName, value: string): Promise<void> {
  const variable = variables[name]
  try {
    if (name === 'redis') await probeRedis(value)
    if (name === 'redis-cluster') for (const url of value.split(',')) await probeRedis(url)
    if (name === 'postgres' || name === 'pgbouncer') await probePostgres(value)
    if (name === 'chromium') await findPrograms([chromium], hereAndNow)
  } catch (error) {
    const why = (error as Error).message || String((error as NodeJS.ErrnoException).code)
    throw new Error(
      `${variable} names a server that does not answer (${withoutPassword(value)}: ${why}). ` +
        `Start it, correct ${variable}, or unset it to have a private one started.`,
      { cause: error },
    )
  }
}

function withoutPassword(value: string): string {
  return value.replaceAll(/:[^:@/]*@/g, ':…@')
}
