import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { onlyChecked } from './only-checked.ts'
import { type Program, partMark, readPrograms, sourceOf } from './programs.ts'
import { checkout, pages } from './read-blocks.ts'
import { type Outcome, runPrograms, runTogether } from './run-page.ts'

// Pasted into files of a folder, checked by the compiler, and run: each page in a process of its own.

const folder = resolve(import.meta.dirname, '../.cache/programs')
const programs = readPrograms()
const pagesAtOnce = 3

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true })
  for (const program of programs) {
    mkdirSync(dirname(fileOf(program)), { recursive: true })
    writeFileSync(fileOf(program), sourceOf(program))
  }
})

test('every block of the README and the guides passes the type check', async () => {
  const config = join(folder, 'tsconfig.json')
  const compilerOptions = {
    declaration: false,
    isolatedDeclarations: false,
    typeRoots: [resolve(checkout, 'node_modules/@types')],
  }
  const base = resolve(checkout, 'tsconfig.base.json')
  writeFileSync(config, JSON.stringify({ extends: base, compilerOptions, include: ['**/*.ts'] }))
  const tsc = resolve(checkout, 'node_modules/typescript/bin/tsc')
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', config], { cwd: folder }).catch(
    (error: { stdout: string }) => error,
  )
  expect(stdout).toBe('')
}, 120_000)

/** An import from outside of this project and the platform, or the address of a server. */
const foreign = /from '(?!@q\/(?!postgres|redis)|node:|zod'|better-sqlite3'|\.\/)|describeStorage/

test('the list of what is only type-checked names blocks that are there, each with a foreign import', () => {
  expect(onlyChecked).toEqual([...new Set(onlyChecked)])
  for (const name of onlyChecked) {
    const program = programs.find((one) => one.name === name)
    expect(program?.name).toBe(name)
    expect(sourceOf(program!)).toMatch(foreign)
  }
})

const toRun = programs.filter(({ name }) => !onlyChecked.includes(name))

const toRunOf = (page: string): Program[] => toRun.filter((program) => program.page === page)
const outcomes = new Map<string, Outcome>()

beforeAll(async () => {
  const waiting = pages.filter((page) => toRunOf(page).length > 0)
  const runNext = async (): Promise<void> => {
    for (let page = waiting.pop(); page !== undefined; page = waiting.pop()) {
      for (const [file, outcome] of [...(await runAlone(toRunOf(page))), ...(await runFiles(toRunOf(page)))]) {
        outcomes.set(file, outcome)
      }
    }
  }
  await Promise.all(Array.from({ length: pagesAtOnce }, runNext))
}, 240_000)

test.for(
  toRun
    .filter((program) => !isImported(program, toRunOf(program.page)))
    .map((program) => [program.name, program] as const),
)('%s runs as pasted', ([, program]) => {
  const outcome = outcomes.get(fileOf(program))
  expect(outcome?.error).toBeUndefined()
  expect(promised(program, outcome!.printed)).toEqual(program.parts.map(({ prints }) => prints))
})

async function runAlone(own: readonly Program[]): Promise<ReadonlyMap<string, Outcome>> {
  const files = own.filter(({ file }) => file === undefined).map(fileOf)
  return files.length === 0 ? new Map() : runPrograms(files)
}

async function runFiles(own: readonly Program[]): Promise<ReadonlyMap<string, Outcome>> {
  const named = own.filter((one) => one.file !== undefined && !isImported(one, own))
  const isServer = (program: Program): boolean => sourceOf(program).includes('handleSignals: true')
  if (named.length === 0) return new Map()
  return runTogether(named.filter(isServer).map(fileOf), named.filter((one) => !isServer(one)).map(fileOf))
}

/** A file that others import has run when they have. */
function isImported({ file }: Program, own: readonly Program[]): boolean {
  return file !== undefined && own.some((other) => sourceOf(other).includes(`from './${file}'`))
}

/** What each part printed, where the page says something about it. */
function promised({ parts }: Program, printed: string): Array<string | null> {
  const texts = printed.split(`${partMark}\n`)
  return parts.map(({ prints }, index) => (prints === null ? null : (texts[index] ?? '')))
}

function fileOf({ page, line, file }: Program): string {
  const name = page.replace(/\.md$/, '').replaceAll(/\W+/g, '-')
  return file === undefined ? join(folder, `${name}-${line}.ts`) : join(folder, name, file)
}
