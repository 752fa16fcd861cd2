import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, createServer, defineJob, type JobStorage } from '@q/core'
import { postgresStorage } from '@q/postgres'
import { redisStorage } from '@q/redis'
import { sqliteStorage } from '@q/sqlite'
import pg from 'pg'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ApiRoute } from '../src/route.ts'
import { routes } from '../src/routes.ts'
import { type Asker, ask, readUntil } from './ask.ts'
import { canary, fillShop, type Shop, waitFor } from './fixture.ts'

interface Scratch {
  readonly storage: JobStorage
  dispose(): Promise<void>
}

const folder = mkdtempSync(join(tmpdir(), 'q-dashboard-'))
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Each in a file, schema or key space of its own. */
const storages: Readonly<Record<string, () => Scratch>> = {
  sqlite() {
    const storage = sqliteStorage(join(folder, `${randomBytes(6).toString('hex')}.db`))
    return { storage, dispose: () => storage.close() }
  },
  postgres() {
    const schema = `q_dashboard_${randomBytes(6).toString('hex')}`
    const connectionString = required('DATABASE_URL')
    const storage = postgresStorage({ connectionString, schema })
    return {
      storage,
      async dispose() {
        await storage.close()
        const client = new pg.Client({ connectionString })
        await client.connect()
        await client.query(`drop schema if exists ${schema} cascade`)
        await client.end()
      },
    }
  },
  redis() {
    const namespace = `q-dashboard-${randomBytes(6).toString('hex')}`
    const storage = redisStorage({ url: required('REDIS_URL'), namespace })
    return {
      storage,
      async dispose() {
        await storage.close()
        const redis = new Redis(required('REDIS_URL'))
        for await (const keys of redis.scanStream({ match: `*${namespace}*`, count: 1000 })) {
          if ((keys as string[]).length > 0) await redis.del(...(keys as string[]))
        }
        redis.disconnect()
      },
    }
  },
}

function required(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: run the tests through "npm test", which starts the servers.`)
  return value
}

describe.each(Object.entries(storages))('on %s', (_name, open) => {
  let scratch: Scratch
  let shop: Shop
  let asker: Asker

  beforeAll(async () => {
    scratch = open()
    shop = await fillShop(scratch.storage)
    asker = ask({ client: shop.client, tickMs: 50 })
  })
  afterAll(async () => {
    asker.dashboard.close()
    await shop[Symbol.asyncDispose]()
    await scratch.dispose()
  })

  const json = async <T>(path: string): Promise<T> => (await (await asker.get(path)).json()) as T
  const text = async (path: string): Promise<string> => (await asker.get(path)).text()

  test('every page and every answer is made, as it is described, without a secret', async () => {
    const [group] = (await shop.client.monitor.errors({ limit: 1 })).items
    for (const route of routes) {
      if (route.method !== 'GET' || route.path === '/events' || route.path.includes('/operations/:id')) continue
      const query = route.path.endsWith('/suggest')
        ? '?field=kind&prefix=mail'
        : route.path === '/operations/new'
          ? '?action=retry&q=state:failed'
          : ''
      const path = route.path
        .replace(':id', route.path.includes('/recurring') ? 'clean-sessions' : shop.ids.secret)
        .replace(':name', 'mail')
        .replace(':fingerprint', group!.fingerprint)
      const response = await asker.get(path + query)
      const body = await response.text()
      expect([path, response.status]).toEqual([path, 200])
      expect(body.includes(canary), path).toBe(false)
      if (route.kind === 'api') (route as ApiRoute).answer.parse(JSON.parse(body))
    }
  })

  test('the overview counts what is there', async () => {
    const { counts, problems, servers } = await json<{
      counts: Record<string, number>
      problems: { code: string }[]
      servers: number
    }>('/api/v1/stats')
    expect(counts).toMatchObject({ processing: 3, retrying: 3, scheduled: 5, awaiting: 1, deleted: 1, parked: 1 })
    expect(servers).toBe(1)
    expect(problems.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['queue-paused', 'queue-unserved', 'jobs-parked']),
    )
  })

  test('every filter of a search finds the same as on any other storage', async () => {
    const found = async (q: string): Promise<string[]> =>
      (await json<{ items: { id: string }[] }>(`/api/v1/jobs?limit=200&q=${encodeURIComponent(q)}`)).items.map(
        ({ id }) => id,
      )
    expect(await found('kind:mail.send tag:tenant-42 state:retrying')).toHaveLength(3)
    expect(await found('queue:imports')).toHaveLength(2)
    expect(await found('server:web-1')).toHaveLength(3)
    expect(await found('args.orderId:4242')).toEqual([shop.ids.secret])
    expect(await found(`parent:${shop.ids.running}`)).toEqual([shop.ids.awaiting])
    expect(await found('recurring:clean-sessions')).toHaveLength(4)
    expect(await found('declined')).toHaveLength((await found('state:failed kind:order.charge')).length)
  })

  test('failures of one kind are one group, and its jobs are found by it', async () => {
    const { items } = await json<{ items: { name: string; fingerprint: string; count: number; kinds: string[] }[] }>(
      '/api/v1/errors',
    )
    const declined = items.find(({ kinds }) => kinds.includes('order.charge'))!
    expect(items.find(({ name }) => name === 'SmtpError')).toMatchObject({ count: 3, kinds: ['mail.send'] })
    const { items: jobs } = await json<{ items: { kind: string }[] }>(`/api/v1/jobs?q=error:${declined.fingerprint}`)
    expect(jobs).toHaveLength(declined.count)
    expect(await text(`/errors/${declined.fingerprint}`)).toContain('order.charge')
  })

  test('the story of a job and the reasons for its waiting are told', async () => {
    const story = await text(`/jobs/${shop.ids.retrying}`)
    for (const part of [
      'Failed once with',
      'SmtpError',
      'Attempt 1',
      'connected to smtp.example.com',
      'ECONNRESET',
      'planned',
      '3 failures',
    ])
      expect(story).toContain(part)
    expect(await text(`/jobs/${shop.ids.running}`)).toContain('second pass')
    expect(await text(`/jobs/${shop.ids.paused}`)).toMatch(/paused by anna/)
    expect(await text(`/jobs/${shop.ids.unserved}`)).toContain('No server listens to the queue')
    expect(await text(`/jobs/${shop.ids.awaiting}`)).toContain('It waits for its parent')
  })

  test('a page that is followed shows what another process does', async () => {
    const response = await asker.get('/events?at=%2Fqueues%2Farchive')
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    await readUntil(reader, /r-queue-facts/)
    await using other = createClient({ storage: scratch.storage })
    const { ready } = (await other.monitor.counts()).byQueue['archive']!
    const job = defineJob<{ readonly n: number }>()({ name: 'test.followed', queue: 'archive' })
    await other.enqueue(job, { n: 1 })
    await readUntil(reader, new RegExp(`<dt>Waiting</dt>\\s*<dd>\\s*<span class=\\\\"n\\\\">${ready + 1}<`))
    await reader.cancel()
  })

  test('a bulk command goes on in pieces, is watched, and touches exactly what it showed', async () => {
    const job = defineJob<{ readonly n: number }>()({ name: 'test.bulk', queue: 'bulk-test' })
    await shop.client.enqueueMany(
      job,
      Array.from({ length: 1200 }, (_, n) => ({ n })),
    )
    const q = 'kind:test.bulk'
    const shown = (await (
      await asker.json('POST', '/api/v1/operations', { action: 'delete', q, dryRun: true })
    ).json()) as { total: { value: number }; asOf: string }
    expect(shown.total.value).toBe(1200)
    const started = (await (
      await asker.json('POST', '/api/v1/operations', { action: 'delete', q, asOf: shown.asOf, expectedCount: 1200 })
    ).json()) as { id: string }
    await waitFor(async () => (await json<{ status: string }>(`/api/v1/operations/${started.id}`)).status === 'done')
    expect(await json(`/api/v1/operations/${started.id}`)).toMatchObject({ matched: 1200, changed: 1200, skipped: {} })
    expect((await shop.client.monitor.count({ name: ['test.bulk'], phase: ['deleted'] }, 5000)).value).toBe(1200)
  })

  test('a job is retried by hand, runs, and says so everywhere', async () => {
    const healed = defineJob({
      name: 'order.charge',
      queue: 'retried',
      run: (_order: unknown, _ctx) => ({ receipt: 'R' }),
    })
    await asker.json('POST', `/api/v1/jobs/${shop.ids.scheduled}/retry`, { reason: 'no need to wait' })
    await waitFor(
      async () =>
        (await json<{ job: { state: string } }>(`/api/v1/jobs/${shop.ids.scheduled}`)).job.state === 'succeeded',
    )
    expect(await text(`/jobs/${shop.ids.scheduled}`)).toContain('no need to wait')
    await using idle = createServer({ storage: scratch.storage, jobs: [healed], name: 'second-1' })
    await idle.start()
    await waitFor(async () => (await text('/servers')).includes('second-1'))
  })
})
