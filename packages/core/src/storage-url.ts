import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { QError } from './errors.ts'
import { memoryStorage } from './memory/index.ts'
import type { JobStorage } from './storage/storage.ts'

export type StorageFactory = (url: string) => JobStorage | Promise<JobStorage>

const factories = new Map<string, StorageFactory>([
  ['memory:', openMemory],
  ['sqlite:', fromPackage('@q/sqlite')],
  ['postgres:', fromPackage('@q/postgres')],
  ['postgresql:', fromPackage('@q/postgres')],
  ['redis:', fromPackage('@q/redis')],
  ['rediss:', fromPackage('@q/redis')],
])

/**
 * Opens a storage by its URL, importing the adapter when it is needed.
 *
 * @example
 * await using storage = await openStorage(process.env.Q_URL ?? 'memory:')
 */
export async function openStorage(url: string): Promise<JobStorage> {
  const scheme = typeof url === 'string' ? /^[a-z][a-z\d+.-]*:/i.exec(url)?.[0].toLowerCase() : undefined
  const factory = scheme === undefined ? undefined : factories.get(scheme)
  if (factory === undefined) {
    const known = [...factories.keys()].map((name) => `"${name}"`).join(', ')
    throw new QError(
      'Q_STORAGE_UNKNOWN',
      `${describe(url, scheme)} names no storage. A storage URL starts with one of ${known}; others come with registerStorage('mydb:', open).`,
    )
  }
  const storage = await factory(url)
  await storage.start()
  return storage
}

/** Teaches `openStorage` a scheme of your own: `registerStorage('mydb:', (url) => mydbStorage(url))`. */
export function registerStorage(scheme: string, factory: StorageFactory): void {
  if (!/^[a-z][a-z\d+.-]*:$/.test(scheme)) {
    throw new QError(
      'Q_OPTION_INVALID',
      `${JSON.stringify(scheme)} is no URL scheme: lower-case letters, digits, "+", "." or "-", and a colon at the end, as in 'mydb:'.`,
    )
  }
  factories.set(scheme, factory)
}

/** The text itself may hold a password, so only its scheme is repeated. */
function describe(url: unknown, scheme: string | undefined): string {
  if (typeof url !== 'string') return `A storage URL that is ${url === null ? 'null' : typeof url}`
  return scheme === undefined ? 'A storage URL without a scheme' : `The scheme "${scheme}"`
}

function openMemory(url: string): JobStorage {
  if (url.slice('memory:'.length).replaceAll('/', '') === '') return memoryStorage()
  throw new QError(
    'Q_OPTION_INVALID',
    'A memory storage has no name: two processes cannot share it. Write just "memory:".',
  )
}

function fromPackage(name: string): StorageFactory {
  return async (url) => {
    const adapter = await importAdapter(name)
    return adapter.openUrl(url)
  }
}

async function importAdapter(name: string): Promise<{ openUrl: StorageFactory }> {
  try {
    return (await import(name)) as { openUrl: StorageFactory }
  } catch (error) {
    if (!isMissing(error, name)) throw error
    const path = findInProgram(name)
    if (path !== null) return (await import(path)) as { openUrl: StorageFactory }
    throw new QError(
      'Q_STORAGE_UNKNOWN',
      `This storage needs the package ${name}, which is not installed. Install it: npm install ${name}`,
      { cause: error },
    )
  }
}

function isMissing(error: unknown, name: string): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    error.code === 'ERR_MODULE_NOT_FOUND' &&
    error.message.includes(`'${name}'`)
  )
}

/** Strict package managers let this package see only its own dependencies: the adapter is one of the program's. */
function findInProgram(name: string): string | null {
  for (const from of [process.argv[1], `${process.cwd()}/`]) {
    try {
      if (from !== undefined) return pathToFileURL(createRequire(from).resolve(name)).href
    } catch {
      // Not seen from here; perhaps from the next place.
    }
  }
  return null
}
