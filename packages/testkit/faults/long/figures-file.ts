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
  /** The longest time until a job of a killed worker with the default lease of 30 s was started by another. */
  readonly killedWorkerMs: number
}

const file = new URL('../../../../docs/crash-figures.json', import.meta.url)
export const page: URL = new URL('../../../../docs/guarantees.md', import.meta.url)

const [begin, end] = ['<!-- figures: written by npm run crash -->', '<!-- end of figures -->']

export function readRuns(): Record<string, LongRun> {
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, LongRun>
}

/** Keeps the figures, and writes them into the page about guarantees. */
export function keepRun(run: LongRun): void {
  writeFileSync(file, `${JSON.stringify({ ...readRuns(), [run.storage]: run }, null, 2)}\n`)
  writeFileSync(page, withFigures(readFileSync(page, 'utf8'), readRuns()))
}

/** The page with the table of these figures between its marks. */
export function withFigures(text: string, runs: Readonly<Record<string, LongRun>>): string {
  const [before, rest = ''] = text.split(begin)
  const [, after] = rest.split(end)
  if (after === undefined) throw new Error(`The page about guarantees has lost its marks "${begin}" and "${end}".`)
  return `${before}${begin}\n\n${table(Object.values(runs))}\n\n${end}${after}`
}

const rows: readonly [string, (run: LongRun) => string][] = [
  ['minutes', ({ seconds }) => number(seconds / 60)],
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
  ['jobs of a killed worker elsewhere after', ({ killedWorkerMs }) => `${(killedWorkerMs / 1000).toFixed(1)} s`],
  ['repeat it with', ({ command }) => `\`${command}\``],
]

function table(runs: readonly LongRun[]): string {
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
