import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BaseClient, createClient, createServer, defineJob, type JobDefinition, type JobStorage } from '@q/core'
import { sqliteStorage } from '@q/sqlite'
import { createDashboard } from '../src/index.ts'

// How the pages do on a database of a million jobs: `node --conditions=@q/source bench/million.ts [jobs] [file]`.
// The file is kept: the next run finds it filled.

const jobs = Number(process.argv[2] ?? 1_000_000)
const file = process.argv[3] ?? join(tmpdir(), `q-dashboard-${jobs}.db`)
const [kinds, queues] = [40, 8]

interface Input {
  readonly userId: number
  readonly plan: string
}

/** 93 % succeed, 2 % fail, 5 % are for later. */
const definitions: readonly JobDefinition<Input, unknown>[] = Array.from({ length: kinds }, (_, n) =>
  defineJob({
    name: `kind-${n}.run`,
    queue: `queue-${n % queues}`,
    retry: false,
    keep: { succeeded: 'forever' },
    run({ userId }: Input) {
      if (userId % 50 === 7) throw new Error(`user ${userId} has no mailbox "${userId}@example.com"`)
    },
  }),
)

const storage: JobStorage = sqliteStorage(file)
const client = createClient({ storage, name: 'fill' })
if (!existsSync(file) || (await total(client)) < jobs) await fill(client, storage)

const dashboard = createDashboard({ client, authorize: 'none' })
const { counts } = (await (await get('/api/v1/stats')).json()) as { counts: Record<string, number> }
print('in storage', JSON.stringify(counts))

for (const path of [
  '/jobs',
  '/jobs?q=state:succeeded',
  '/jobs?q=state:failed',
  '/jobs?q=state:scheduled',
  '/jobs?q=queue:queue-3+state:failed',
  '/jobs?q=kind:kind-7.run',
])
  await measure(`check 11, ${path}`, 50, () => get(path))
await pagesByCursor()
for (const path of ['/', '/queues', '/errors', '/metrics', '/metrics?by=queue&range=7d', '/recurring', '/servers'])
  await measure(`check 13, ${path}`, 50, () => get(path))
await measure('check 14, args.userId:4242 (scanned)', 2500, () => get('/api/v1/jobs?q=args.userId:4242'), 3)
await exportMany()
await retryAllFailed()
dashboard.close()
await client.close()
await storage.close()

async function fill(to: BaseClient, into: JobStorage): Promise<void> {
  const startedAt = performance.now()
  const server = createServer({ storage: into, jobs: definitions, concurrency: 200, name: 'fill-1' })
  await server.start()
  let made = await total(to)
  while (made < jobs) {
    const n = made / 1000
    const definition = definitions[n % kinds]!
    const inputs = Array.from({ length: 1000 }, (_, i) => ({ userId: made + i, plan: i % 3 === 0 ? 'pro' : 'free' }))
    if (n % 20 === 19) await Promise.all(inputs.map((input) => to.schedule(definition, input, { in: '90d' })))
    else await to.enqueueMany(definition, inputs)
    made += 1000
    if (n % 50 === 0) print('filling', `${made} made`)
  }
  while (((await to.monitor.counts()).byPhase.ready ?? 0) > 0) await new Promise((resolve) => setTimeout(resolve, 200))
  await server.stop()
  print('filled in', `${Math.round((performance.now() - startedAt) / 1000)} s`)
}

async function total(of: BaseClient): Promise<number> {
  const { byPhase } = await of.monitor.counts()
  return Object.values(byPhase).reduce((sum, n) => sum + n, 0)
}

async function get(path: string): Promise<Response> {
  const response = await dashboard.fetch(
    new Request(`http://127.0.0.1${path}`, { headers: { host: '127.0.0.1', accept: 'text/html' } }),
  )
  if (response.status !== 200) throw new Error(`${path} answered ${response.status}`)
  return response
}

/** What the reader remembers would make every run after the first one free: each waits until that has gone. */
async function measure(what: string, mostMs: number, run: () => Promise<Response>, times: number = 10): Promise<void> {
  const took: number[] = []
  for (let n = 0; n < times; n++) {
    await new Promise((resolve) => setTimeout(resolve, what.startsWith('check 13') ? 4100 / 4 : 1010))
    const startedAt = performance.now()
    await (await run()).text()
    took.push(performance.now() - startedAt)
  }
  verdict(what, took.toSorted((a, b) => a - b)[Math.ceil(took.length * 0.95) - 1]!, mostMs)
}

/** Check 12: a cursor costs the same however deep it points. */
async function pagesByCursor(): Promise<void> {
  const { monitor } = client
  const query = { phase: ['succeeded'] as const }
  const time = async (cursor: string | undefined): Promise<readonly [number, string | undefined]> => {
    const took: number[] = []
    let next: string | undefined
    for (let n = 0; n < 20; n++) {
      const startedAt = performance.now()
      ;({ next } = await monitor.jobs(query, { limit: 50, cursor }))
      took.push(performance.now() - startedAt)
    }
    return [took.toSorted((a, b) => a - b)[10]!, next]
  }
  const [first] = await time(undefined)
  let cursor: string | undefined
  const deep = Math.min(10_000, Math.floor((counts['succeeded'] ?? 0) / 50) - 2)
  for (let n = 0; n < deep; n++) ({ next: cursor } = await monitor.jobs(query, { limit: 50, cursor }))
  const [last] = await time(cursor)
  verdict(`check 12, page ${deep} (page 1: ${first.toFixed(2)} ms)`, last, Math.max(first * 1.2, first + 0.2))
}

/** Check 40: what is exported goes through, and does not gather on the way. */
async function exportMany(): Promise<void> {
  const before = process.memoryUsage.rss()
  const startedAt = performance.now()
  let [lines, most] = [0, before]
  for await (const bytes of (await get('/api/v1/export/jobs.ndjson?q=state:succeeded')).body!) {
    for (const byte of bytes) if (byte === 10) lines++
    most = Math.max(most, process.memoryUsage.rss())
  }
  const grown = (most - before) / 1024 / 1024
  print('check 40', `${lines} lines exported in ${Math.round(performance.now() - startedAt)} ms`)
  verdict('check 40, memory meanwhile', grown, 50, 'MB')
}

/** Check 15: all failures retried while somebody looks; the process goes on answering. */
async function retryAllFailed(): Promise<void> {
  const failed = counts['failed'] ?? 0
  const own = { host: '127.0.0.1', 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' }
  const started = await dashboard.fetch(
    new Request('http://127.0.0.1/api/v1/operations', {
      method: 'POST',
      headers: own,
      body: JSON.stringify({ action: 'retry', q: 'state:failed', expectedCount: failed }),
    }),
  )
  const { id } = (await started.json()) as { id: string }
  const startedAt = performance.now()
  let longestMs = 0
  let steps = 0
  let seen = -1
  let operation: { status: string; changed: number }
  do {
    const askedAt = performance.now()
    operation = (await (await get(`/api/v1/operations/${id}`)).json()) as typeof operation
    await new Promise((resolve) => setImmediate(resolve))
    longestMs = Math.max(longestMs, performance.now() - askedAt)
    if (operation.changed !== seen) steps++
    seen = operation.changed
  } while (operation.status === 'running')
  print(
    'check 15',
    `${operation.changed} of ${failed} retried in ${Math.round(performance.now() - startedAt)} ms, ${steps} steps seen, ${operation.status}`,
  )
  verdict('check 15, longest answer meanwhile', longestMs, 100)
}

function verdict(what: string, found: number, most: number, unit = 'ms'): void {
  print(what, `${found.toFixed(1)} ${unit} (at most ${most.toFixed(1)}) ${found <= most ? 'ok' : 'TOO MUCH'}`)
  if (found > most) process.exitCode = 1
}

function print(what: string, text: string): void {
  process.stdout.write(`${what.padEnd(52)} ${text}\n`)
}
