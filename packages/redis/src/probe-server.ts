import { QError } from '@q/core/storage'
import type { Durability } from '@q/core/storage'
import type { Answer, Connection } from './connection.ts'

/** What the server is, and what a crash of it may cost. */
export interface Probe {
  readonly version: string
  readonly major: number
  readonly durability: Durability
  /** The settings could not be read: durability is what can be said without them. */
  readonly isGuess: boolean
}

/**
 * Asks a server for its version and settings. Refuses one that would throw jobs away to make room; where CONFIG is not
 * allowed, INFO at least tells the eviction policy.
 */
export async function probeServer(ask: (name: string, ...args: string[]) => Promise<Answer>): Promise<Probe> {
  const info = textOf(await ask('INFO'))
  const version = field(info, 'valkey_version') ?? field(info, 'redis_version') ?? '0.0.0'
  const major = Number(version.split('.')[0])
  if (!isNewEnough(version)) {
    throw new QError(
      'Q_STORAGE_UNSUPPORTED',
      `This server is version ${version}; Redis 6.2, or Valkey, is the least that will do.`,
    )
  }
  const settings = await readSettings(ask)
  const policy = settings?.get('maxmemory-policy') ?? field(info, 'maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction') {
    throw new QError(
      'Q_STORAGE_UNSUPPORTED',
      `This Redis evicts keys when its memory is full (maxmemory-policy is "${policy}"), which would lose jobs. ` +
        `Run "CONFIG SET maxmemory-policy noeviction" on it, and set the same in its configuration.`,
    )
  }
  return { version, major, durability: durabilityOf(settings, info), isGuess: settings === null }
}

function durabilityOf(settings: ReadonlyMap<string, string> | null, info: string): Durability {
  const hasLog = settings === null ? field(info, 'aof_enabled') === '1' : settings.get('appendonly') === 'yes'
  if (hasLog) return settings?.get('appendfsync') === 'always' ? 'synced' : 'lazy'
  return settings !== null && settings.get('save') !== '' ? 'lazy' : 'none'
}

/** Null where the server does not let us ask: managed ones often do not. */
async function readSettings(
  ask: (name: string, ...args: string[]) => Promise<Answer>,
): Promise<ReadonlyMap<string, string> | null> {
  const settings = new Map<string, string>()
  try {
    for (const name of ['maxmemory-policy', 'appendonly', 'appendfsync', 'save']) {
      const [key, value] = (await ask('CONFIG', 'GET', name)) as Buffer[]
      if (key !== undefined && value !== undefined) settings.set(key.toString(), value.toString())
    }
  } catch (error) {
    // The server answered, and the answer was no.
    if (error instanceof QError && error.cause instanceof Error && error.cause.name === 'ReplyError') return null
    throw error
  }
  return settings.size === 0 ? null : settings
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 6 || (major === 6 && minor >= 2)
}

function field(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
}

function textOf(answer: Answer): string {
  return answer instanceof Buffer ? answer.toString() : ''
}

const weakestFirst: readonly Durability[] = ['none', 'process', 'lazy', 'synced', 'quorum']

/** Every master of a cluster is asked: the weakest one counts. */
export async function probeServers(connection: Connection): Promise<Probe> {
  await connection.ready()
  const probes: Probe[] = []
  for (const ask of connection.masters()) probes.push(await probeServer(ask))
  return probes.reduce((weakest, probe) => (rank(probe) < rank(weakest) ? probe : weakest))
}

function rank(probe: Probe): number {
  return weakestFirst.indexOf(probe.durability)
}
