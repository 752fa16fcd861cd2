import { scenarios } from './scenarios.ts'
import type { Spread } from './statistics.ts'

export interface Row {
  /** redis, redis with AOF everysec, postgres, sqlite NORMAL, sqlite FULL, memory. */
  readonly place: string
  readonly contender: string
  readonly setting: string
  readonly scenario: string
  readonly figures: Readonly<Record<string, Spread>>
}

export interface Report {
  readonly machine: string
  readonly versions: string
  readonly rounds: number
  /** What measures the same again. */
  readonly commands: readonly string[]
  readonly rows: Row[]
}

/** One report of what was measured in parts, on one machine. */
export function merged(last: Report, earlier: readonly Report[]): Report {
  const setting = ({ machine, versions, rounds }: Report): string => JSON.stringify([machine, versions, rounds])
  const stranger = earlier.find((one) => setting(one) !== setting(last))
  if (stranger !== undefined)
    throw new Error(`these were not measured alike: ${setting(stranger)} and ${setting(last)}`)
  const all = [...earlier, last]
  return { ...last, commands: all.flatMap(({ commands }) => commands), rows: all.flatMap(({ rows }) => rows) }
}

/** One table per scenario: ours first, then everybody else with the ratio to ours. */
export function toMarkdown({ machine, versions, rounds, commands, rows }: Report): string {
  const parts = scenarios.flatMap((scenario) => {
    const own = rows.filter((row) => row.scenario === scenario.name)
    return own.length === 0 ? [] : [`### ${capital(scenario.name)}\n\n${table(scenario.name, own)}`]
  })
  return [
    `${machine}; ${versions}. Median of ${rounds} rounds (least…most). "q is" says how many times as much q does, or for times and costs how many times as little. Again: ${commands.map((command) => `\`${command}\``).join(', ')}.`,
    ...parts,
  ].join('\n\n')
}

function table(name: string, rows: readonly Row[]): string {
  const scenario = scenarios.find((one) => one.name === name)!
  const others = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))].filter(
    (figure) => figure !== scenario.figure,
  )
  const head = ['storage', 'library', 'setting', scenario.figure, 'q is', ...others]
  const lines = rows.map((row) => {
    const figure = row.figures[scenario.figure]
    const ours = rows.find((one) => one.place === row.place && one.contender === 'q')?.figures[scenario.figure]
    return [
      row.place,
      row.contender,
      row.setting,
      figure === undefined ? '' : `${show(figure.median)} (${show(figure.min)}…${show(figure.max)})`,
      row.contender === 'q' || figure === undefined || ours === undefined
        ? ''
        : `${ratio(ours, figure, scenario.isRate)}×`,
      ...others.map((other) => (row.figures[other] === undefined ? '' : show(row.figures[other].median))),
    ]
  })
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function ratio(ours: Spread, theirs: Spread, isRate: boolean): string {
  const times = isRate ? ours.median / theirs.median : theirs.median / ours.median
  return times >= 10 ? times.toFixed(0) : times.toFixed(2)
}

function show(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US')
  return Math.abs(value) >= 10 ? value.toFixed(0) : value.toFixed(2)
}

function capital(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1)
}
