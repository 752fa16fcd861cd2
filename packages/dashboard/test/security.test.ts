import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { AuditEvent, Role } from '../src/index.ts'
import { routes } from '../src/routes.ts'
import { type Asker, ask } from './ask.ts'
import { addHostile, canary, hostileTexts, openMemoryShop, type Shop } from './fixture.ts'

let shop: Shop
let hostileIds: readonly string[]

beforeAll(async () => {
  shop = await openMemoryShop(1)
  hostileIds = await addHostile(shop.client)
})
afterAll(async () => shop[Symbol.asyncDispose]())
afterEach(() => void vi.unstubAllEnvs())

const id = (path: string): string =>
  path
    .replace(':id', path.includes('/recurring') ? 'nightly-report' : shop.ids.scheduled)
    .replace(':name', 'mail')
    .replace(':fingerprint', '0123456789abcdef')

const reading = routes.filter(({ method }) => method === 'GET').map(({ path }) => [path] as const)
const writing = routes
  .filter(({ method, path }) => method !== 'GET' && path !== '/settings')
  .map(({ method, path }) => [method, path] as const)

/** What a request could have changed: who is paused, what was done to the job, what recurs. */
async function fingerprintOfAll(): Promise<string> {
  const [job, queues, recurring] = await Promise.all([
    shop.client.get(shop.ids.scheduled),
    shop.client.queues.list(),
    shop.client.recurring.list(),
  ])
  return JSON.stringify([
    job!.history.length,
    queues.find(({ name }) => name === 'mail'),
    recurring.items.map((one) => [one.id, one.version]),
  ])
}

function send(asker: Asker, method: string, path: string, headers: Record<string, string> = {}): Promise<Response> {
  if (method === 'GET') return asker.get(path, headers)
  return path.startsWith('/api/') ? asker.json(method, path, {}, headers) : asker.form(path, {}, headers)
}

describe('who may come in', () => {
  test.each([...reading.map(([path]) => ['GET', path] as const), ...writing, ['GET', '/assets/unknown.js'] as const])(
    '%s %s is closed without authorize, in production, through a proxy, and from elsewhere',
    async (method, path) => {
      const local = ask({ client: shop.client })
      const cases: readonly (() => Promise<Response>)[] = [
        () => send(local, method, id(path), { 'x-forwarded-for': '8.8.8.8' }),
        () => send(local, method, id(path), { forwarded: 'for=127.0.0.1' }),
        () => send(local, method, id(path), { via: '1.1 proxy' }),
        () => send(ask({ client: shop.client }, '192.168.1.7'), method, id(path)),
        () => send(ask({ client: shop.client }, null), method, id(path)),
        () => {
          vi.stubEnv('NODE_ENV', 'production')
          return send(local, method, id(path))
        },
      ]
      for (const request of cases) {
        const response = await request()
        expect(response.status).toBe(403)
        const text = await response.text()
        expect(text).not.toContain('mail.send')
        if (path.startsWith('/api/') || path === '/events' || path === '/healthz')
          expect(JSON.parse(text)).toMatchObject({ code: 'forbidden' })
        else expect(text).toContain('authorize: ({ request })')
      }
    },
  )

  test.each([
    [
      'throws',
      () => {
        throw new Error('the session store is down')
      },
    ],
    ['answers undefined', () => undefined],
    ['answers true', () => true],
    ['answers a role that is none', () => ({ can: 'root' })],
    ['answers null', () => null],
    ['rejects', () => Promise.reject(new Error('late'))],
  ])('a hook that %s keeps everybody out, and shows nothing of why', async (_what, authorize) => {
    const response = await ask({ client: shop.client, authorize: authorize as never }).get('/')
    expect(response.status).toBe(403)
    expect(await response.text()).not.toMatch(/session store|late|at .*\.ts/)
  })

  test('a hook may answer with a response of its own', async () => {
    const response = await ask({
      client: shop.client,
      authorize: () => Response.redirect('http://127.0.0.1/login', 302),
    }).get('/')
    expect(response.status).toBe(302)
  })

  test('tricks with the path meet the same verdict', async () => {
    const closed = ask({ client: shop.client }, '10.0.0.1')
    for (const path of [
      '//api/v1/stats',
      '/%61pi/v1/stats',
      '/api/..;/stats',
      '/API/v1/stats',
      '/./api/v1/stats',
      '/assets/%2e%2e/x',
      '/assets/__proto__',
      '/\\api',
    ]) {
      expect((await closed.get(path)).status, path).toBe(403)
    }
    const open = ask({ client: shop.client })
    for (const path of [
      '/assets/__proto__',
      '/assets/%2e%2e%2fpackage.json',
      '/assets/..%5cx',
      '/assets/%00',
      '/API/v1/stats',
      '/toString',
      '/jobs/%E0%A4%A',
    ]) {
      expect((await open.get(path)).status, path).toBe(404)
    }
  })

  test.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example'])(
    'the name %s is not ours',
    async (host) => {
      const asker = ask({ client: shop.client })
      for (const [method, path] of [
        ['GET', '/'],
        ['GET', '/events'],
        ['POST', '/api/v1/queues/mail/pause'],
      ] as const) {
        expect((await send(asker, method, path, { host })).status).toBe(421)
      }
    },
  )

  test('with `hosts`, only those names are answered', async () => {
    const asker = ask({ client: shop.client, authorize: 'none', hosts: ['jobs.example.com'] })
    expect((await asker.get('/', { host: 'jobs.example.com' })).status).toBe(200)
    expect((await asker.get('/', { host: 'other.example.com' })).status).toBe(421)
  })
})

describe('who may change what', () => {
  test.each(writing)('%s %s is refused to a viewer, and to everybody when it is read-only', async (method, path) => {
    const before = await fingerprintOfAll()
    const body = path.endsWith('/operations') ? { action: 'delete', q: 'state:scheduled' } : {}
    for (const asker of [
      ask({ client: shop.client, authorize: () => ({ can: 'viewer' }) }),
      ask({ client: shop.client, readOnly: true }),
    ]) {
      const response = path.startsWith('/api/')
        ? await asker.json(method, id(path), body)
        : await asker.form(id(path), body as Record<string, string>)
      // An operation that is not there tells nobody more than that.
      expect([403, path.includes('/operations/:id') ? 404 : 403]).toContain(response.status)
    }
    expect(await fingerprintOfAll()).toBe(before)
  })

  test.each(writing)('%s %s does nothing when another site sends it', async (method, path) => {
    const before = await fingerprintOfAll()
    const asker = ask({ client: shop.client, authorize: () => ({ user: 'ada', can: 'admin' }) })
    const foreign: readonly Record<string, string>[] = [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
      { 'sec-fetch-site': 'cross-site', authorization: 'Basic dTpw' },
    ]
    for (const headers of foreign) expect((await send(asker, method, id(path), headers)).status).toBe(403)
    const { dashboard } = asker
    const bare = (headers: Record<string, string>): Promise<Response> =>
      dashboard.fetch(
        new Request(`http://127.0.0.1${id(path)}`, {
          method,
          headers: { host: '127.0.0.1', 'content-type': 'application/json', ...headers },
        }),
      )
    for (const headers of [
      {},
      { origin: 'null' },
      { origin: 'https://evil.example' },
      { origin: 'http://127.0.0.1:81' },
    ] as Record<string, string>[])
      expect((await bare(headers)).status).toBe(403)
    expect(await fingerprintOfAll()).toBe(before)
  })

  test('where the browser says nothing, an equal Origin or an Authorization header is enough', async () => {
    const { dashboard } = ask({ client: shop.client, authorize: 'none' })
    const post = (headers: Record<string, string>): Promise<Response> =>
      dashboard.fetch(
        new Request('http://jobs.example.com/api/v1/queues/mail/resume', {
          method: 'POST',
          headers: { host: 'jobs.example.com', ...headers },
        }),
      )
    expect((await post({ origin: 'https://jobs.example.com' })).status).toBe(200)
    expect((await post({ authorization: 'Bearer x' })).status).toBe(200)
  })

  test('a body of another type is refused: a form cannot pretend to be JSON', async () => {
    const asker = ask({ client: shop.client })
    expect(
      (await asker.json('POST', '/api/v1/queues/mail/pause', { reason: 'x' }, { 'content-type': 'text/plain' })).status,
    ).toBe(415)
    expect((await asker.form('/queues/mail/pause', {}, { 'content-type': 'text/plain' })).status).toBe(415)
  })

  test('a body beyond a megabyte is refused', async () => {
    const asker = ask({ client: shop.client })
    expect((await asker.json('POST', '/api/v1/queues/mail/pause', { reason: 'x'.repeat(1_100_000) })).status).toBe(413)
  })

  test('nothing is changed by reading', async () => {
    const asker = ask({ client: shop.client })
    for (const [, path] of writing)
      expect([200, 404, 405]).toContain((await asker.get(id(path), { accept: 'application/json' })).status)
  })

  test.each([['viewer'], ['operator'], ['admin']] as const)(
    'a %s sees the buttons of what is allowed, and no other',
    async (can: Role) => {
      const asker = ask({ client: shop.client, authorize: () => ({ can }) })
      const pages = [
        '/',
        '/jobs',
        '/jobs?q=state:failed',
        `/jobs/${shop.ids.scheduled}`,
        `/jobs/${shop.ids.running}`,
        '/errors',
        '/queues',
        '/queues/mail',
        '/recurring',
        '/recurring/nightly-report',
        '/servers',
        '/metrics',
        '/operations',
      ]
      const texts = (await Promise.all(pages.map(async (path) => (await asker.get(path)).text()))).join('\n')
      const forms = [...texts.matchAll(/<form method="post" action="([^"]+)"/g)]
        .map(([, action]) => action!)
        .filter((action) => !action.endsWith('settings'))
      if (can === 'viewer') {
        expect(forms).toEqual([])
        expect(texts).not.toContain('data-dialog')
      } else expect(forms.length).toBeGreaterThan(3)
      expect(texts.includes('nightly-report/edit')).toBe(can === 'admin')
    },
  )

  test('a rule of your own decides per resource', async () => {
    const asker = ask({
      client: shop.client,
      authorize: () => ({
        user: 'mo',
        can: (permission, { queue }) =>
          permission === 'jobs.read' || (permission === 'queues.pause' && queue === 'mail'),
      }),
    })
    expect((await asker.json('POST', '/api/v1/queues/mail/resume', {})).status).toBe(200)
    expect((await asker.json('POST', '/api/v1/queues/bulk/resume', {})).status).toBe(403)
    expect(await (await asker.get('/queues/mail')).text()).toContain('Pause…')
    expect(await (await asker.get('/queues/bulk')).text()).not.toContain('Pause…')
  })

  test('every change and every refusal is told, with who and why', async () => {
    const events: AuditEvent[] = []
    const options = { client: shop.client, onAudit: (event: AuditEvent) => void events.push(event) }
    await ask({ ...options, authorize: () => ({ user: 'ada', can: 'admin' }) }).json(
      'POST',
      '/api/v1/queues/mail/pause',
      { reason: 'smtp is down' },
    )
    await ask({ ...options, authorize: () => ({ user: 'eve', can: 'viewer' }) }).json(
      'POST',
      '/api/v1/queues/mail/resume',
      {},
    )
    await ask({ ...options, authorize: () => null }).get('/')
    expect(events).toMatchObject([
      { user: 'ada', action: 'queue.pause', target: 'mail', reason: 'smtp is down', outcome: 'done' },
      {
        user: 'eve',
        action: 'refused',
        target: '/api/v1/queues/mail/resume',
        reason: 'permission',
        outcome: 'refused',
      },
      { action: 'refused', target: '/', reason: 'denied', outcome: 'refused' },
    ])
    await ask({ client: shop.client }).json('POST', '/api/v1/queues/mail/resume', {})
  })
})

describe('what leaves', () => {
  test('every answer, refusals and errors too, carries the headers that keep a browser careful', async () => {
    const paths = ['/', '/jobs', '/api/v1/stats', '/nowhere', '/api/v1/nowhere', '/jobs/nonsense', '/healthz']
    for (const asker of [ask({ client: shop.client }), ask({ client: shop.client }, '10.0.0.1')]) {
      for (const path of paths) {
        const { headers } = await asker.get(path)
        expect(headers.get('content-security-policy')).toMatch(
          /^default-src 'none'; script-src 'self'; style-src ('self'|'sha256-[^']+'); img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types q$/,
        )
        expect(headers.get('x-content-type-options')).toBe('nosniff')
        expect(headers.get('x-frame-options')).toBe('DENY')
        expect(headers.get('referrer-policy')).toBe('same-origin')
        expect(headers.get('cache-control')).toBe('private, no-store')
        expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
        expect(headers.get('x-powered-by')).toBeNull()
      }
    }
  })

  const everywhere = async (asker: Asker): Promise<readonly (readonly [string, string])[]> => {
    const paths = [
      ...reading.map(([path]) => path).filter((path) => path !== '/events' && !path.includes('/operations/:id')),
      '/jobs?limit=200',
      '/jobs?limit=200&cols=state,queue,priority,attempts,error,waited,ran,server,due,created,since,tags',
      `/jobs/${shop.ids.secret}`,
      `/api/v1/jobs/${shop.ids.secret}`,
      `/api/v1/jobs/${shop.ids.secret}/input`,
      ...hostileIds.flatMap((one) => [`/jobs/${one}`, `/api/v1/jobs/${one}`]),
      ...hostileTexts.flatMap((text) => [
        `/jobs?q=${encodeURIComponent(text)}`,
        `/queues/${encodeURIComponent(text)}`,
        `/recurring/${encodeURIComponent(text)}`,
      ]),
      '/operations/new?action=delete&q=state:deleted',
    ]
    return Promise.all(
      paths.map(async (path) => {
        const response = await asker.get(id(path))
        return [path, await response.text()] as const
      }),
    )
  }

  test('what stands behind the key of a secret leaves in no answer', async () => {
    for (const [path, text] of await everywhere(ask({ client: shop.client })))
      expect(text.includes(canary), path).toBe(false)
  })

  test('what was hidden in the input is hidden in the error that quotes it', async () => {
    const { defineJob } = await import('@q/core')
    const quote = defineJob<{ readonly password: string }>()({ name: 'test.quote', queue: 'default', retry: false })
    const { createServer } = await import('@q/core')
    const handle = await shop.client.enqueue(quote, { password: `pw-${canary}` }, { queue: 'quoted' })
    await using server = createServer({ storage: shop.storage, queues: ['quoted'], name: 'quoter' }).handle(
      quote,
      (input) => {
        throw new Error(`cannot log in with ${input.password}`)
      },
    )
    await server.start()
    await handle.result({ timeout: '5s' }).catch(() => null)
    for (const path of [`/jobs/${handle.id}`, `/api/v1/jobs/${handle.id}`]) {
      const text = await (await ask({ client: shop.client }).get(path)).text()
      expect(text).toContain('cannot log in with [redacted]')
      expect(text).not.toContain(canary)
    }
  })

  test('hostile names and data are text wherever they appear, and pages stay small', async () => {
    for (const [path, text] of await everywhere(ask({ client: shop.client }))) {
      if (path.startsWith('/api/')) continue
      expect(text, path).not.toMatch(/<script>globalThis|<img src=x|<svg onload|onerror="|href="javascript:/)
      expect(text.length, path).toBeLessThan(300_000)
    }
  })

  test('a cell of a CSV never begins like a formula', async () => {
    const text = await (await ask({ client: shop.client }).get('/api/v1/export/jobs.csv')).text()
    expect(text).toContain('"\'=HYPERLINK')
    expect(text).not.toMatch(/(^|,)"?[=@]/m)
  })

  test('health says that it works, and nothing about what works', async () => {
    expect(await (await ask({ client: shop.client }).get('/healthz')).text()).toBe('{"status":"ok"}')
  })
})
