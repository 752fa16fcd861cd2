import { defineJob } from '@q/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ApiRoute } from '../src/route.ts'
import { routes } from '../src/routes.ts'
import { type Asker, ask } from './ask.ts'
import { openMemoryShop, type Shop, waitFor } from './fixture.ts'

const held = defineJob<{ readonly n: number }>()({ name: 'test.held', queue: 'archive' })

let shop: Shop
let asker: Asker

beforeAll(async () => {
  shop = await openMemoryShop(2)
  asker = ask({ client: shop.client })
})
afterAll(async () => {
  asker.dashboard.close()
  await shop[Symbol.asyncDispose]()
})

/** A path with real things in the place of its parameters. */
async function pathOf(path: string, id: string = shop.ids.retrying): Promise<string> {
  const groups = await shop.client.monitor.errors({ limit: 1 })
  const isRecurring = path.includes('/recurring/')
  return path
    .replace(':id', isRecurring ? 'clean-sessions' : id)
    .replace(':name', 'mail')
    .replace(':fingerprint', groups.items[0]!.fingerprint)
}

const apiRoutes = routes.filter((route): route is ApiRoute => route.kind === 'api')
const isOfOperation = (path: string): boolean => path.includes('/operations/:id')

describe('reading', () => {
  test.each(
    apiRoutes
      .filter(({ method, path }) => method === 'GET' && !isOfOperation(path))
      .map((route) => [route.path, route] as const),
  )('GET %s answers as it is described', async (path, route) => {
    const query = path.endsWith('/suggest') ? '?field=queue&prefix=ma' : ''
    const response = await asker.get((await pathOf(path)) + query)
    const body: unknown = await response.json()
    expect(response.status, JSON.stringify(body)).toBe(route.status)
    expect(response.headers.get('content-type')).toBe('application/json')
    route.answer.parse(body)
  })

  test.each(routes.filter(({ kind, path }) => kind === 'page' && !isOfOperation(path)).map(({ path }) => [path]))(
    'GET %s is a page',
    async (path) => {
      const query = path === '/operations/new' ? '?action=retry&q=state:failed' : ''
      const response = await asker.get((await pathOf(path)) + query)
      const text = await response.text()
      expect(response.status, text).toBe(200)
      expect(text).toContain('<main id="main"')
      expect(text).not.toContain('[object ')
      expect(text).not.toContain('undefined')
      expect(text).not.toContain('NaN')
      expect(text).not.toMatch(/ style=/)
    },
  )

  test('every filter of a search travels from the text to the storage', async () => {
    const found = async (q: string): Promise<string[]> => {
      const response = await asker.get(`/api/v1/jobs?limit=200&q=${encodeURIComponent(q)}`)
      const { items } = (await response.json()) as { items: { id: string }[] }
      return items.map(({ id }) => id)
    }
    expect(await found('kind:mail.send tag:tenant-42 state:retrying')).toContain(shop.ids.retrying)
    expect(await found('queue:imports')).toContain(shop.ids.paused)
    expect(await found('server:web-1')).toContain(shop.ids.running)
    expect(await found('server:nobody')).toEqual([])
    expect(await found('args.month:2026-12')).toEqual([shop.ids.scheduled])
    expect(await found('args.orderId:4242')).toEqual([shop.ids.secret])
    expect(await found(`parent:${shop.ids.running}`)).toEqual([shop.ids.awaiting])
    expect(await found(`id:${shop.ids.failed}`)).toEqual([shop.ids.failed])
    expect(await found('-state:succeeded,failed,deleted kind:report.build')).toContain(shop.ids.scheduled)
    expect(await found('recurring:clean-sessions')).toHaveLength(4)
  })

  test('a list is walked to its end by its cursor, and no job comes twice', async () => {
    const seen: string[] = []
    let after = ''
    do {
      const response = await asker.get(`/api/v1/jobs?limit=25&q=state:succeeded${after}`)
      const page = (await response.json()) as { items: { id: string }[]; next: string | null }
      seen.push(...page.items.map(({ id }) => id))
      after = page.next === null ? '' : `&after=${encodeURIComponent(page.next)}`
    } while (after !== '')
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).toHaveLength((await shop.client.monitor.counts()).byPhase.succeeded)
  })

  test.each([
    '/api/v1/jobs?limit=1e9',
    '/api/v1/jobs?limit=-1',
    '/api/v1/jobs?limit=NaN',
    '/api/v1/jobs?sort=password',
    '/api/v1/jobs?limit=1&limit=2',
    '/api/v1/jobs?unknown=1',
    '/api/v1/series?range=9y',
    '/api/v1/jobs?q=foo:bar',
  ])('%s is refused with a reason', async (path) => {
    const response = await asker.get(path)
    expect(response.status).toBe(400)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({ status: 400, code: 'invalid' })
  })

  test('an export has one line per job, as CSV and as NDJSON', async () => {
    const csv = await (await asker.get('/api/v1/export/jobs.csv?q=queue:payments')).text()
    const ndjson = await (await asker.get('/api/v1/export/jobs.ndjson?q=queue:payments')).text()
    const lines = ndjson
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { queue: string })
    expect(lines.every(({ queue }) => queue === 'payments')).toBe(true)
    expect(csv.trim().split('\r\n')).toHaveLength(lines.length + 1)
  })

  test('the figures for Prometheus are lines of its format', async () => {
    const response = await asker.get('/api/metrics')
    expect(response.headers.get('content-type')).toContain('version=0.0.4')
    for (const line of (await response.text()).trim().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE) q_\w+ .+|q_\w+(\{(\w+="([^"\\\n]|\\.)*",?)+\})? -?\d+(\.\d+)?)$/)
  })
})

describe('the description', () => {
  test('every reference in it leads somewhere, and every parameter of a path is named', async () => {
    const response = await asker.get('/api/v1/openapi.json')
    const text = await response.text()
    const { openapi, paths, components } = JSON.parse(text) as {
      openapi: string
      paths: Record<string, Record<string, { parameters?: { name: string; in: string }[] }>>
      components: { schemas: Record<string, unknown> }
    }
    expect(openapi).toBe('3.1.0')
    for (const [, name] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g))
      expect(components.schemas).toHaveProperty(name!)
    expect(text).not.toContain('$defs')
    for (const [path, operations] of Object.entries(paths)) {
      const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      for (const operation of Object.values(operations)) {
        expect((operation.parameters ?? []).filter((one) => one.in === 'path').map(({ name }) => name)).toEqual(wanted)
      }
    }
  })

  test('it names every route of the API', async () => {
    const { paths } = (await (await asker.get('/api/v1/openapi.json')).json()) as {
      paths: Record<string, Record<string, unknown>>
    }
    for (const { method, path } of apiRoutes)
      expect(paths[path.replace(/:(\w+)/g, '{$1}')]).toHaveProperty(method.toLowerCase())
  })
})

describe('changing', () => {
  test('a failed job is retried, and its history says who did it and why', async () => {
    const as = ask({ client: shop.client, authorize: () => ({ user: 'ada', can: 'operator' }) })
    const response = await as.json('POST', `/api/v1/jobs/${shop.ids.failed}/retry`, { reason: 'the bank is back' })
    expect(await response.json()).toEqual({ applied: true, outcome: 'retried' })
    const job = await shop.client.get(shop.ids.failed)
    expect(job!.history.find(({ by }) => by === 'ada')).toMatchObject({ state: 'enqueued', reason: 'the bank is back' })
  })

  test('a command that expects another state changes nothing and says so', async () => {
    const response = await asker.json('POST', `/api/v1/jobs/${shop.ids.scheduled}/delete`, { from: 'failed' })
    expect(response.status).toBe(409)
    expect(await response.json()).toMatchObject({ code: 'state-changed', state: 'scheduled' })
  })

  test('forms work without a script and lead back to a page that says what happened', async () => {
    const response = await asker.form(`/jobs/${shop.ids.scheduled}/reschedule`, { in: '3h', reason: 'later' })
    expect(response.status).toBe(303)
    const target = new URL(response.headers.get('location')!, `http://127.0.0.1/jobs/${shop.ids.scheduled}/reschedule`)
    expect(target.pathname).toBe(`/jobs/${shop.ids.scheduled}`)
    expect(await (await asker.get(target.pathname + target.search)).text()).toContain('The job has another time.')
    const job = await shop.client.get(shop.ids.scheduled)
    expect(job!.scheduledFor!.getTime() - Date.now()).toBeGreaterThan(2.9 * 3_600_000)
  })

  test('a queue is paused with a reason and an end, shows both, and goes on', async () => {
    const as = ask({ client: shop.client, authorize: () => ({ user: 'ada', can: 'operator' }) })
    await as.form('/queues/bulk/pause', { reason: 'disk is full', for: '1h' })
    expect(await (await as.json('GET', '/api/v1/queues/bulk')).json()).toMatchObject({
      paused: { by: 'ada', reason: 'disk is full', until: expect.any(String) },
    })
    expect(await (await as.get('/queues/bulk')).text()).toContain('disk is full')
    await as.form('/queues/bulk/resume')
    expect(await (await as.json('GET', '/api/v1/queues/bulk')).json()).toMatchObject({ paused: null })
  })

  test('a queue that does not exist cannot be made by pausing it', async () => {
    expect((await asker.json('POST', '/api/v1/queues/nowhere/pause', {})).status).toBe(404)
    expect(await shop.client.monitor.names('queue', 'nowhere')).toEqual([])
  })

  test('a schedule is previewed, changed, and refused when it cannot be', async () => {
    const preview = await (await asker.get('/recurring/nightly-report/edit?cron=0+5+*+*+*&zone=Asia%2FKolkata')).text()
    expect(preview).toContain('Daily at 05:00')
    expect(await (await asker.get('/recurring/nightly-report/edit?cron=99+5+*+*+*')).text()).toContain('minute')
    expect((await asker.json('PUT', '/api/v1/recurring/nightly-report/schedule', { cron: '99 * * * *' })).status).toBe(
      400,
    )
    expect(
      (
        await asker.json('PUT', '/api/v1/recurring/nightly-report/schedule', {
          cron: '0 5 * * *',
          zone: 'Asia/Kolkata',
        })
      ).status,
    ).toBe(200)
    expect(await (await asker.get('/api/v1/recurring/nightly-report')).json()).toMatchObject({
      recurring: { words: 'Daily at 05:00', zone: 'Asia/Kolkata' },
    })
  })

  test('an operation touches what it showed: counted first, frozen, refused when more match than were shown', async () => {
    const handles = await Promise.all(
      Array.from({ length: 30 }, (_, n) => shop.client.schedule(held, { n }, { in: '1h', tags: ['bulk-test'] })),
    )
    const q = 'tag:bulk-test state:scheduled'
    const shown = (await (
      await asker.json('POST', '/api/v1/operations', { action: 'delete', q, dryRun: true })
    ).json()) as { total: { value: number }; asOf: string }
    expect(shown.total).toEqual({ value: 30, exact: true })
    expect((await asker.json('POST', '/api/v1/operations', { action: 'delete', q, expectedCount: 29 })).status).toBe(
      409,
    )
    const later = await shop.client.schedule(held, { n: 99 }, { in: '1h', tags: ['bulk-test'] })
    const started = await asker.json('POST', '/api/v1/operations', {
      action: 'delete',
      q,
      asOf: shown.asOf,
      expectedCount: 30,
      reason: 'a test',
    })
    expect(started.status).toBe(202)
    const { id } = (await started.json()) as { id: string }
    await waitFor(
      async () =>
        ((await (await asker.get(`/api/v1/operations/${id}`)).json()) as { status: string }).status === 'done',
    )
    const done: unknown = await (await asker.get(`/api/v1/operations/${id}`)).json()
    apiRoutes.find(({ path }) => path.endsWith('/operations/:id'))!.answer.parse(done)
    expect(done).toMatchObject({ matched: 30, changed: 30, skipped: {} })
    expect((await shop.client.get(handles[0]!.id))!.state).toBe('deleted')
    expect((await shop.client.get(later.id))!.state).toBe('scheduled')
    expect(await (await asker.get(`/operations/${id}`)).text()).toContain('30</strong> deleted')
  })
})
