import { readFileSync, writeFileSync } from 'node:fs'
import type { Figures } from '../storm/figures.ts'
import { swallowedReplies } from '../storm/storm.ts'

/** What the long command found out about one storage, in all its rounds together. */
export interface LongRun extends Figures {
  readonly storage: string
  readonly command: string
  readonly rounds: number
  readonly firstSeed: number
  /** The longest time from the last fault of a round until new jobs were run. */
  readonly slowestRecoveryMs: number
  /** The longest time until a job of a killed worker with the default lease of 30 s was started by another; 0 before the end of a run. */
  readonly killedWorkerMs: number
}

/** What the long command found out about the memory of a fleet in peace. */
export interface SoakRun {
  readonly storage: string
  readonly command: string
  readonly minutes: number
  readonly jobs: number
  /** Bytes resident, the median of the second quarter of the time and of the last. */
  readonly processes: readonly { readonly role: string; readonly early: number; readonly late: number }[]
}

/** Everything the long command has found out, by storage. */
export interface Kept {
  readonly crash: Readonly<Record<string, LongRun>>
  readonly soak: Readonly<Record<string, SoakRun>>
}

const file = new URL('../../../../docs/crash-figures.json', import.meta.url)
export const page: URL = new URL('../../../../docs/guarantees.md', import.meta.url)

const [begin, end] = ['<!-- figures: written by npm run crash -->', '<!-- end of figures -->']

export function readKept(): Kept {
  return JSON.parse(readFileSync(file, 'utf8')) as Kept
}

/** Keeps the figures, and writes them into the page about guarantees. */
export function keepRun(run: LongRun): void {
  const kept = readKept()
  keep({ ...kept, crash: { ...kept.crash, [run.storage]: run } })
}

export function keepSoak(run: SoakRun): void {
  const kept = readKept()
  keep({ ...kept, soak: { ...kept.soak, [run.storage]: run } })
}

function keep(kept: Kept): void {
  writeFileSync(file, `${JSON.stringify(kept, null, 2)}\n`)
  writeFileSync(page, withFigures(readFileSync(page, 'utf8'), kept))
}

/** The page with the tables of these figures between its marks. */
export function withFigures(text: string, { crash, soak }: Kept): string {
  const [before, rest = ''] = text.split(begin)
  const [, after] = rest.split(end)
  if (after === undefined) throw new Error(`The page about guarantees has lost its marks "${begin}" and "${end}".`)
  const tables = [table(rows, Object.values(crash)), table(soakRows, Object.values(soak))]
  return `${before}${begin}\n\n${tables.join('\n\n')}\n\n${end}${after}`
}

type Rows<Run> = readonly (readonly [title: string, cell: (run: Run) => string])[]

const rows: Rows<LongRun> = [
  ['minutes of faults', ({ seconds }) => number(seconds / 60)],
  ['processes killed', ({ kills }) => number(kills)],
  ['… in the middle of a call', ({ killsInACommit }) => number(killsInACommit)],
  ['replies swallowed', (run) => number(swallowedReplies(run))],
  ['connections cut', ({ cuts }) => number(cuts)],
  ['server restarts', ({ restarts }) => number(restarts)],
  ['zombies', ({ zombies }) => number(zombies)],
  [
    'their runs, all refused',
    ({ zombieRuns, zombieRunsRefused }) => `${number(zombieRunsRefused)} of ${number(zombieRuns)}`,
  ],
  ['jobs run', ({ jobs }) => number(jobs)],
  ['**jobs lost**', ({ lost }) => `**${number(lost)}**`],
  ['**jobs completed twice**', ({ doubled }) => `**${number(doubled)}**`],
  ['other violations', ({ violations, lost, doubled }) => number(violations - lost - doubled)],
  ['slowest return to work', ({ slowestRecoveryMs }) => `${(slowestRecoveryMs / 1000).toFixed(1)} s`],
  [
    'jobs of a killed worker elsewhere after',
    ({ killedWorkerMs }) => (killedWorkerMs === 0 ? 'not measured yet' : `${(killedWorkerMs / 1000).toFixed(1)} s`),
  ],
  ['repeat it with', ({ command }) => `\`${command}\``],
]

const soakRows: Rows<SoakRun> = [
  ['minutes in peace', ({ minutes }) => number(minutes)],
  ['jobs run', ({ jobs }) => number(jobs)],
  ['memory of the workers, second quarter → last', (run) => memoryOf(run, 'worker')],
  ['memory of the producer', (run) => memoryOf(run, 'producer')],
  ['repeat it with', ({ command }) => `\`${command}\``],
]

function memoryOf({ processes }: SoakRun, role: string): string {
  const megabytes = (bytes: number): string => number(bytes / 1024 / 1024)
  return processes
    .filter((process) => process.role === role)
    .map(({ early, late }) => `${megabytes(early)} → ${megabytes(late)} MB`)
    .join(', ')
}

function table<Run extends { readonly storage: string }>(rows: Rows<Run>, runs: readonly Run[]): string {
  if (runs.length === 0) return 'No long run has been made yet.'
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [
    line(['', ...runs.map(({ storage }) => storage)]),
    line(['---', ...runs.map(() => '---:')]),
    ...rows.map(([title, cell]) => line([title, ...runs.map(cell)])),
  ].join('\n')
}

function number(value: number): string {
  return Math.round(value).toLocaleString('en')
}
