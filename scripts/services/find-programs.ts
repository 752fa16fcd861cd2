import { accessSync, constants, existsSync, readdirSync, realpathSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { installPackages, unpackedProgram, unpackPackages } from './debian.ts'

/** A program a service is run with, and every way to come by it. */
export interface Program {
  /** What people call it, for messages. */
  readonly title: string
  /** Names its file outright. */
  readonly variable: string
  readonly names: readonly string[]
  /** Folders beside PATH; a `*` stands for a version, newest first. */
  readonly folders: readonly string[]
  /** Programs that must lie beside it. */
  readonly companions?: readonly string[]
  readonly debianPackages: readonly string[]
}

export interface Surroundings {
  readonly env: NodeJS.ProcessEnv
  /** Where the file system begins; another one in tests. */
  readonly root?: string
  /** Where packages are unpacked. */
  readonly cache: string
  readonly isRoot: boolean
  announce(message: string): void
}

const sbin = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/opt/homebrew/bin', '/usr/local/bin', '/usr/bin']

export const redisServer: Program = {
  title: 'Redis',
  variable: 'REDIS_SERVER_BIN',
  names: ['redis-server', 'valkey-server'],
  folders: sbin,
  debianPackages: ['redis-server'],
}

export const postgresServer: Program = {
  title: 'PostgreSQL',
  variable: 'POSTGRES_BIN',
  names: ['postgres'],
  folders: [
    ...sbin,
    '/usr/lib/postgresql/*/bin',
    '/opt/homebrew/opt/postgresql@*/bin',
    '/usr/local/opt/postgresql@*/bin',
  ],
  companions: ['initdb'],
  debianPackages: ['postgresql'],
}

export const pgBouncer: Program = {
  title: 'PgBouncer',
  variable: 'PGBOUNCER_BIN',
  names: ['pgbouncer'],
  folders: sbin,
  debianPackages: ['pgbouncer'],
}

export const chromium: Program = {
  title: 'Chromium',
  variable: 'CHROMIUM_PATH',
  names: ['chromium', 'google-chrome', 'google-chrome-stable', 'chromium-browser'],
  folders: [...sbin, '/Applications/Google Chrome.app/Contents/MacOS'],
  debianPackages: ['chromium', 'fonts-dejavu-core'],
}

/** The file of each program: named, installed, unpacked before, installed now or unpacked now; else one error for all. */
export async function findPrograms(wanted: readonly Program[], around: Surroundings): Promise<Map<Program, string>> {
  const found = new Map<Program, string>()
  const look = (): Program[] => {
    for (const program of wanted) {
      const file = found.get(program) ?? installed(program, around)
      if (file !== null) found.set(program, file)
    }
    return wanted.filter((program) => !found.has(program))
  }
  const lookUnpacked = (): Program[] => {
    for (const program of look()) {
      const file = unpackedProgram(around.cache, program.debianPackages, program.names)
      if (file !== null) found.set(program, file)
    }
    return wanted.filter((program) => !found.has(program))
  }

  let missing = lookUnpacked()
  const tried: string[] = []
  if (missing.length > 0 && around.env['Q_NO_APT'] === '1') {
    tried.push('Debian packages: not tried, Q_NO_APT=1 is set')
  } else if (missing.length > 0) {
    const packages = missing.flatMap((program) => program.debianPackages)
    try {
      if (around.isRoot) {
        around.announce(`Installing Debian packages (Q_NO_APT=1 forbids it): ${packages.join(' ')}`)
        await installPackages(packages)
      } else {
        around.announce(`Unpacking Debian packages into .cache/debian (Q_NO_APT=1 forbids it): ${packages.join(' ')}`)
        for (const program of missing) await unpackPackages(around.cache, program.debianPackages)
      }
    } catch (error) {
      tried.push(`Debian packages ${packages.join(' ')}: ${(error as Error).message}`)
    }
    missing = lookUnpacked()
  }
  if (missing.length > 0) throw new Error(explain(missing, tried))
  return found
}

function installed(program: Program, { env, root = '/' }: Surroundings): string | null {
  const named = env[program.variable]
  if (named !== undefined && named !== '') {
    if (isComplete(named, program)) return named
    const beside = program.companions === undefined ? '' : ` with ${program.companions.join(', ')} beside it`
    throw new Error(`${program.variable}=${named} is not an executable file${beside}: correct it or unset it.`)
  }
  const path = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  const folders = program.folders.flatMap((folder) => versions(join(root, folder)))
  for (const folder of [...path, ...folders]) {
    for (const name of [...program.names, 'Google Chrome']) {
      const file = join(folder, name)
      if (isComplete(file, program)) return file
    }
  }
  return null
}

function isComplete(file: string, { companions = [] }: Program): boolean {
  if (!isExecutable(file)) return false
  const folder = dirname(realpathSync(file))
  return companions.every((name) => isExecutable(join(folder, name)))
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

// A folder with a star for the version becomes the folders there are, newest version first.
function versions(pattern: string): string[] {
  const star = pattern.indexOf('*')
  if (star < 0) return [pattern]
  const parent = dirname(pattern.slice(0, star + 1))
  const prefix = pattern.slice(parent.length + 1, star)
  const rest = pattern.slice(star + 1)
  if (!existsSync(parent)) return []
  return readdirSync(parent)
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .toSorted((a, b) => Number(b.slice(prefix.length)) - Number(a.slice(prefix.length)))
    .map((name) => `${join(parent, name)}${rest}`)
}

function explain(missing: readonly Program[], tried: readonly string[]): string {
  return [
    `The tests need ${missing.map(({ title }) => title).join(', ')}, and this machine has no such program. Looked for:`,
    ...missing.map(
      ({ title, variable, names, folders }) =>
        `  ${title}: ${variable}; ${names.join(', ')} in PATH, ${folders.join(', ')}`,
    ),
    ...tried.map((line) => `  ${line}`),
    'Install them, or let docker run the databases and name them:',
    '  docker compose up -d --wait',
    '  export REDIS_URL=redis://127.0.0.1:6379 DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres',
    '  export REDIS_CLUSTER_URLS=redis://127.0.0.1:7001,redis://127.0.0.1:7002,redis://127.0.0.1:7003',
    '  export PGBOUNCER_URL=postgres://postgres@127.0.0.1:6432/postgres',
    '  export CHROMIUM_PATH=/path/to/chromium',
  ].join('\n')
}
