import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'

/** Who may import whom. Every rule whose folder holds a file applies to it. */
export interface Boundary {
  readonly folder: string
  /** The only packages it may import; own files and the platform go without saying. Not given: any. */
  readonly packages?: readonly string[] | undefined
  /** Folders and packages it never imports, with whatever lies below them. */
  readonly never?: readonly string[] | undefined
  readonly why: string
}

const timers = ['node:timers', 'node:timers/promises', 'node:perf_hooks']

export const boundaries: readonly Boundary[] = [
  {
    folder: 'packages/core/src',
    packages: [],
    never: timers,
    why: 'core imports the platform and no package; time goes through clock.ts',
  },
  {
    folder: 'packages/core/src/states',
    never: ['packages/core/src/server'],
    why: 'a state is data and never knows the server that performs it',
  },
  {
    folder: 'packages/core/src/storage',
    never: ['packages/core/src/client'],
    why: 'the contract lies below the client: what both need moves down',
  },
  {
    folder: 'packages/sqlite/src',
    packages: ['@q/core/storage', 'better-sqlite3', 'kysely'],
    why: 'an adapter imports the contract and its driver',
  },
  {
    folder: 'packages/postgres/src',
    packages: ['@q/core/storage', 'pg', 'kysely'],
    why: 'an adapter imports the contract and its driver',
  },
  {
    folder: 'packages/redis/src',
    packages: ['@q/core/storage', 'ioredis'],
    why: 'an adapter imports the contract and its driver',
  },
  {
    folder: 'packages/dashboard/src',
    never: ['@q/sqlite', '@q/postgres', '@q/redis'],
    why: 'the dashboard knows storages through core alone',
  },
  {
    folder: 'packages/testkit/src',
    never: ['@q/sqlite', '@q/postgres', '@q/redis', '@q/dashboard'],
    why: 'the suite knows storages through core alone',
  },
  { folder: 'packages', never: ['@q/testkit'], why: 'test helpers stay out of what runs in production' },
  { folder: 'apps', never: ['@q/testkit'], why: 'test helpers stay out of what runs in production' },
  { folder: 'bench', never: ['@q/testkit'], why: 'test helpers stay out of what is measured' },
]

/** One line for every import in a source file (tests excepted) that crosses a boundary. */
export function findViolations(checkout: string, rules: readonly Boundary[] = boundaries): string[] {
  const files = globSync(['packages/*/src/**/*.ts', 'apps/*/src/**/*.ts', 'bench/src/**/*.ts'], { cwd: checkout })
  return files
    .filter((file) => !file.endsWith('.test.ts'))
    .toSorted()
    .flatMap((file) => {
      const path = file.split(sep).join('/')
      const applying = rules.filter(({ folder }) => path.startsWith(`${folder}/`))
      return importsOf(readFileSync(join(checkout, file), 'utf8')).flatMap((specifier) =>
        applying
          .filter((rule) => breaks(rule, target(checkout, path, specifier)))
          .map(({ why }) => `${path} imports ${specifier}: ${why}.`),
      )
    })
}

/** What is imported: a path from the top of the checkout for our own files, the specifier for everything else. */
function target(checkout: string, file: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier
  return relative(checkout, resolve(checkout, dirname(file), specifier))
    .split(sep)
    .join('/')
}

function breaks({ folder, packages, never = [] }: Boundary, imported: string): boolean {
  if (never.some((name) => imported === name || imported.startsWith(`${name}/`))) return true
  if (packages === undefined || imported.startsWith('node:')) return false
  return !packages.includes(imported) && !imported.startsWith(`${folder}/`)
}

/** Static imports and re-exports stand at the beginning of a line; examples in comments behind a star do not. */
function importsOf(source: string): string[] {
  const fixed = source.matchAll(/^(?:import|export)\b(?:[^'"`;]*?\bfrom)?\s*['"]([^'"]+)['"]/gm)
  const dynamic = source.matchAll(/^(?!\s*(?:\*|\/\/)).*\b(?:import|require)\(\s*['"]([^'"]+)['"]/gm)
  return [...fixed, ...dynamic].map(([, specifier]) => specifier ?? '')
}
