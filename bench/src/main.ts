import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startPostgres, startRedis } from '../../scripts/services/index.ts'
import type { Server } from '../../scripts/services/index.ts'
import type { Contender, StorageName } from './contender.ts'
import { keyOf, loadContenders } from './contenders/index.ts'
import type { Order } from './measure-one.ts'
import type { Report, Row } from './report.ts'
import { merged, toMarkdown } from './report.ts'
import type { Scenario } from './scenarios.ts'
import { scenarios } from './scenarios.ts'
import { spreadOf } from './statistics.ts'

const { values: options } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    scale: { type: 'string' },
    storage: { type: 'string', multiple: true },
    library: { type: 'string', multiple: true },
    scenario: { type: 'string', multiple: true },
    with: { type: 'string', multiple: true },
    json: { type: 'string' },
    readme: { type: 'boolean', default: false },
  },
})
/** A measurement that takes longer hangs. */
const longestMs = 300_000
const scale = Number(options.scale ?? (options.short ? 0.005 : 1))
const rounds = Number(options.rounds ?? (options.short ? 1 : 3))

/** Where contenders of one storage meet: always a fresh server or folder, always with the same durability. */
interface Ground {
  readonly label: string
  readonly storage: StorageName
  readonly durable: boolean
  start(): Promise<Pick<Server, 'url' | 'stop'>>
}

const noServer = async (): Promise<Pick<Server, 'url' | 'stop'>> => ({ url: '', stop: async () => undefined })
const grounds: readonly Ground[] = [
  { label: 'redis', storage: 'redis', durable: false, start: () => startRedis() },
  { label: 'redis, AOF everysec', storage: 'redis', durable: true, start: () => startRedis({ aof: 'everysec' }) },
  {
    label: 'postgres',
    storage: 'postgres',
    durable: true,
    start: () => startPostgres({ fsync: true, settings: { shared_buffers: '512MB', max_wal_size: '4GB' } }),
  },
  { label: 'sqlite NORMAL', storage: 'sqlite', durable: false, start: noServer },
  { label: 'sqlite FULL', storage: 'sqlite', durable: true, start: noServer },
  { label: 'memory', storage: 'memory', durable: false, start: noServer },
]

const samples = new Map<string, { row: Omit<Row, 'figures'>; values: Record<string, number[]> }>()
const wants = (list: readonly string[] | undefined, text: string): boolean =>
  list === undefined || list.some((one) => text.includes(one))

const contenders = (await loadContenders()).filter(({ name }) => options.library?.includes(name) ?? true)
const isScenario = (text: string): boolean => scenarios.some(({ name }) => name === text)
/** A whole name means that one alone, though another begins with it. */
const chosen = scenarios.filter(
  ({ name }) =>
    options.scenario?.includes(name) ||
    wants(
      options.scenario?.filter((text) => !isScenario(text)),
      name,
    ),
)
for (let round = 1; round <= rounds; round++) {
  await Promise.all(
    meetings(
      chosen.filter(({ isQuiet }) => isQuiet),
      round,
    ).map((each) => measure(...each, round)),
  )
  for (const each of meetings(
    chosen.filter(({ isQuiet }) => !isQuiet),
    round,
  ))
    await measure(...each, round)
}
await publish()

/** Who meets where and for what. Everybody goes first once: the machine is never the same for the first and the last. */
function meetings(list: readonly Scenario[], round: number): [Ground, Contender, string][] {
  return grounds
    .filter(({ label }) => wants(options.storage, label))
    .flatMap((ground) => {
      const all = contenders.filter(({ storage }) => storage === ground.storage)
      const meeting = [...all.slice(round % all.length), ...all.slice(0, round % all.length)]
      return list
        .filter(({ storages }) => storages?.includes(ground.storage) ?? true)
        .flatMap(({ name }) => meeting.map((contender): [Ground, Contender, string] => [ground, contender, name]))
    })
}

async function measure(ground: Ground, contender: Contender, scenario: string, round: number): Promise<void> {
  const server = await ground.start()
  const folder = await mkdtemp(join(tmpdir(), 'q-bench-'))
  try {
    const order: Order = {
      contender: keyOf(contender),
      scenario,
      place: { url: server.url, folder, durable: ground.durable },
      scale,
    }
    const figures = await inChild(order)
    const row = { place: ground.label, contender: contender.name, setting: contender.setting, scenario }
    const key = JSON.stringify(row)
    const sample = samples.get(key) ?? { row, values: {} }
    samples.set(key, sample)
    for (const [name, value] of Object.entries(figures)) (sample.values[name] ??= []).push(value)
    const shown = Object.entries(figures).map(
      ([name, value]) => `${name} ${value >= 100 ? Math.round(value) : value.toFixed(2)}`,
    )
    process.stdout.write(
      `${round}/${rounds}  ${ground.label}  ${scenario}  ${contender.name} (${contender.setting}): ${shown.join(', ')}\n`,
    )
  } finally {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

function inChild(order: Order): Promise<Record<string, number>> {
  return new Promise((resolve, reject) => {
    const args = [...process.execArgv, join(import.meta.dirname, 'measure-one.ts'), JSON.stringify(order)]
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: longestMs,
      killSignal: 'SIGKILL',
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      const last = output.trim().split('\n').at(-1) ?? ''
      if (code === 0 && last.startsWith('{')) resolve(JSON.parse(last) as Record<string, number>)
      else reject(new Error(`${order.contender}, ${order.scenario}: ended with ${signal ?? code} and no figures`))
    })
  })
}

async function publish(): Promise<void> {
  // Those that were measured at once ended in any order.
  const order = grounds.flatMap(({ label, storage }) =>
    contenders.filter((one) => one.storage === storage).map(({ name, setting }) => [label, name, setting].join('/')),
  )
  const orderOf = (row: Row): number => order.indexOf([row.place, row.contender, row.setting].join('/'))
  const measured = [...samples.values()].map(({ row, values }) => ({
    ...row,
    figures: Object.fromEntries(Object.entries(values).map(([name, list]) => [name, spreadOf(list)])),
  }))
  const report = merged(
    {
      machine: machine(),
      versions: await versions(),
      rounds,
      commands: [command()],
      rows: measured,
    },
    await earlier(),
  )
  report.rows.sort((a, b) => orderOf(a) - orderOf(b))
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`)
  const markdown = toMarkdown(report)
  process.stdout.write(`\n${markdown}\n`)
  if (options.readme) await writeReadme(markdown)
}

/** Long measurements are made in parts. */
async function earlier(): Promise<Report[]> {
  const files = await Promise.all((options.with ?? []).map((file) => readFile(file, 'utf8')))
  return files.map((text) => JSON.parse(text) as Report)
}

async function writeReadme(markdown: string): Promise<void> {
  const path = join(import.meta.dirname, '../README.md')
  const text = await readFile(path, 'utf8')
  const [begin, end] = ['<!-- results -->', '<!-- /results -->']
  await writeFile(
    path,
    `${text.slice(0, text.indexOf(begin) + begin.length)}\n\n${markdown}\n\n${text.slice(text.indexOf(end))}`,
  )
}

/** What was measured, not where it was written. */
function command(): string {
  const { rounds: times, scale: share, storage = [], library = [], scenario = [] } = options
  const args = Object.entries({ rounds: times, scale: share, storage, library, scenario }).flatMap(([name, given]) =>
    [given ?? []].flat().map((value) => `--${name} "${value}"`),
  )
  return ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' ')
}

function machine(): string {
  const [cpu] = cpus()
  return `${cpus().length} × ${cpu?.model.trim() ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`
}

async function versions(): Promise<string> {
  const require = createRequire(import.meta.url)
  const names = ['bullmq', 'bee-queue', 'graphile-worker', 'pg-boss', 'plainjob']
  const found = await Promise.all(
    names.map(async (name) => {
      const root = require.resolve(name).split(`node_modules/${name}/`)[0]!
      const { version } = JSON.parse(await readFile(join(root, 'node_modules', name, 'package.json'), 'utf8')) as {
        version: string
      }
      return `${name} ${version}`
    }),
  )
  return found.join(', ')
}
