import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDashboard, type Dashboard } from '../src/index.ts'
import { toNode } from '../src/node.ts'
import { readUntil } from './ask.ts'
import { openMemoryShop, type Shop } from './fixture.ts'
import { listen, mounts, proxyTo } from './mounts.ts'

let shop: Shop
let dashboard: Dashboard

beforeAll(async () => {
  shop = await openMemoryShop(1)
  dashboard = createDashboard({ client: shop.client, authorize: 'none' })
})
afterAll(async () => {
  dashboard.close()
  await shop[Symbol.asyncDispose]()
})

/** What must hold wherever it stands: pages, links, assets, forms, programs, events. */
async function walk(base: string): Promise<void> {
  const own = { 'sec-fetch-site': 'same-origin', accept: 'text/html' }
  const root = await fetch(base, { headers: own })
  expect(root.status).toBe(200)
  expect(root.url.endsWith('/')).toBe(true)
  const page = await root.text()
  expect(page).toContain('<h1>Overview</h1>')
  for (const [, link] of page.matchAll(/(?:<link rel="stylesheet" href|<script type="module" src)="([^"]+)"/g)) {
    const asset = await fetch(new URL(link!, root.url))
    expect(asset.status).toBe(200)
    expect(asset.headers.get('cache-control')).toContain('immutable')
    expect((await asset.text()).length).toBeGreaterThan(1000)
  }
  const at = (path: string): URL => new URL(path, root.url)
  expect(await (await fetch(at('jobs?q=state%3Afailed'), { headers: own })).text()).toContain('order.charge')
  expect((await fetch(at('jobs'), { method: 'HEAD', headers: own })).status).toBe(200)

  const reason = `walking ${base}`
  const paused = await fetch(at('queues/mail/pause'), {
    method: 'POST',
    headers: own,
    body: new URLSearchParams({ reason }),
    redirect: 'follow',
  })
  expect(paused.url).toBe(at('queues/mail?done=paused').href)
  expect(await paused.text()).toContain(reason)
  const resumed = await fetch(at('api/v1/queues/mail/resume'), {
    method: 'POST',
    headers: { ...own, 'content-type': 'application/json' },
    body: '{}',
  })
  expect(await resumed.json()).toEqual({ applied: true })
  const named = await fetch(at('api/v1/queues/mail/pause'), {
    method: 'POST',
    headers: { ...own, 'content-type': 'application/json' },
    body: JSON.stringify({ reason: 'by a program' }),
  })
  expect(named.status).toBe(200)
  expect(await (await fetch(at('api/v1/queues/mail'), { headers: own })).json()).toMatchObject({
    paused: { reason: 'by a program' },
  })
  await fetch(at('queues/mail/resume'), { method: 'POST', headers: own, body: new URLSearchParams() })

  const stop = new AbortController()
  const events = await fetch(at('events?at=%2Fqueues'), { headers: own, signal: stop.signal })
  expect(events.headers.get('content-type')).toBe('text/event-stream')
  const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader()
  expect(await readUntil(reader, /event: patch/)).toContain('event: hello')
  stop.abort()
}

describe.each(Object.entries(mounts))('mounted in %s', (_name, mount) => {
  test.each([[''], ['/admin/jobs']])('at "%s" everything is found', async (base) => {
    const server = await listen(mount(dashboard, base))
    try {
      await walk(server.url + (base === '' ? '/' : base))
    } finally {
      await server.close()
    }
  })
})

describe('behind a proxy', () => {
  test.each([
    ['strips its prefix', '', '/ops', (path: string) => (path.startsWith('/ops/') ? path.slice(4) : null), '/ops/'],
    ['keeps the path', '/admin/jobs', '', (path: string) => path, '/admin/jobs/'],
    ['adds a prefix', '/internal/jobs', '', (path: string) => `/internal/jobs${path}`, '/'],
  ] as const)('that %s, everything is found', async (_what, base, _prefix, rewrite, entry) => {
    const inner = await listen(toNode(dashboard, { basePath: base }))
    const outer = await listen(proxyTo(inner.url, rewrite))
    try {
      await walk(outer.url + entry)
    } finally {
      await outer.close()
      await inner.close()
    }
  })

  test('a request that a proxy brings is not local, whatever its address', async () => {
    const closed = createDashboard({ client: shop.client })
    const inner = await listen(toNode(closed))
    const outer = await listen(proxyTo(inner.url, (path) => path))
    try {
      expect((await fetch(inner.url)).status).toBe(200)
      expect((await fetch(outer.url)).status).toBe(403)
    } finally {
      await outer.close()
      await inner.close()
    }
  })
})

test('several storages stand side by side, each with its own pages', async () => {
  const second = await openMemoryShop(0)
  const both = createDashboard({
    storages: { main: shop.storage, 'reports & more': second.storage },
    authorize: 'none',
  })
  const server = await listen(toNode(both, { basePath: '/admin' }))
  try {
    const root = await fetch(`${server.url}/admin`)
    expect(root.url).toBe(`${server.url}/admin/s/main/`)
    const page = await root.text()
    const link = /<a href="([^"]+)">\s*reports &amp; more/.exec(page)![1]!
    const other = await fetch(new URL(link, root.url))
    expect(other.url).toBe(`${server.url}/admin/s/reports%20%26%20more/`)
    expect(await other.text()).toContain('<h1>Overview</h1>')
    expect((await fetch(`${server.url}/admin/s/nowhere/`)).status).toBe(404)
  } finally {
    both.close()
    await server.close()
    await second[Symbol.asyncDispose]()
  }
})
