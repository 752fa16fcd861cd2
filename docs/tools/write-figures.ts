import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'

const checkout = resolve(import.meta.dirname, '../..')
const place = /(<!-- bench[^\n]*-->\n)[\s\S]*?(\n<!-- \/bench -->)/

/** The questions people ask first, Q's weakest answers among them; the bench's own page has all of them. */
const onFrontPage: ReadonlySet<string> = new Set([
  'Enqueue one by one',
  'Enqueue, 100 concurrent',
  'Enqueue in bulk of 1,000',
  'Drain 20k, concurrency 100',
  'Latency at idle',
])

/**
 * Puts the bench's summary onto the front page: of those tables between the marks in `bench/README.md` what Q does, and how
 * many times as much that is as each of the others at its best. Where nothing has been measured, the page says so.
 */
export function writeFigures(): void {
  const page = resolve(checkout, 'README.md')
  const text = readFileSync(page, 'utf8')
  if (!place.test(text)) throw new Error('README.md has no place for figures: <!-- bench … --> and <!-- /bench -->.')
  writeFileSync(
    page,
    text.replace(place, (_all, from: string, to: string) => `${from}\n${figures()}\n${to}`),
  )
}

interface Row {
  readonly storage: string
  readonly library: string
  readonly setting: string
  /** With the least and the most in brackets. */
  readonly figure: string
  readonly times: string
}

interface Scenario {
  readonly title: string
  readonly unit: string
  readonly rows: readonly Row[]
}

function figures(): string {
  const bench = readFileSync(resolve(checkout, 'bench/README.md'), 'utf8')
  const results = /<!-- results -->\n([\s\S]*?)<!-- \/results -->/.exec(bench)?.[1] ?? ''
  const scenarios = results
    .split(/^### /m)
    .slice(1)
    .map(readScenario)
    .filter(({ title }) => onFrontPage.has(title))
  if (scenarios.length === 0)
    return 'The figures are not in yet. `npm run bench` measures Q beside its peers on your machine.'
  const storages = [...new Set(scenarios.flatMap(({ rows }) => rows.map(({ storage }) => storage)))]
  const table = [
    ['', ...scenarios.map(({ title, unit }) => `${title}, ${unit}`)],
    ['---', ...scenarios.map(() => '---')],
    ...storages.map((storage) => [`**${storage}**`, ...scenarios.map((scenario) => cell(scenario, storage))]),
  ].map((cells) => `| ${cells.join(' | ')} |`)
  const [machine] = results.trim().split(/; |\n/)
  return [
    `${machine}. Q as installed, with history kept, beside the others at their documented best; above 1 Q does more, or waits less.`,
    table.join('\n'),
    'Everything that was measured, how, with which versions, and where Q is not ahead: [the bench](bench/README.md).',
  ].join('\n\n')
}

function readScenario(part: string): Scenario {
  const [title = '', ...lines] = part.split('\n')
  const [head = [], , ...rows] = lines
    .filter((line) => line.startsWith('|'))
    .map((line) => line.slice(2, -2).split(' | '))
  return {
    title,
    unit: head[3] ?? '',
    rows: rows.map(([storage = '', library = '', setting = '', figure = '', times = '']) => ({
      storage,
      library,
      setting,
      figure,
      times,
    })),
  }
}

function cell({ rows }: Scenario, storage: string): string {
  const here = rows.filter((row) => row.storage === storage)
  const own = here.find(({ library }) => library === 'q')
  if (own === undefined) return ''
  const others = here
    .filter(({ setting }) => setting === 'best')
    .map(({ library, times }) => `${times.trim()} ${library}`)
  const [median] = own.figure.split(' ')
  return others.length === 0 ? median! : `${median} (${others.join(', ')})`
}
