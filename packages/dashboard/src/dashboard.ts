import { type BaseClient, createClient, isQError, type JobStorage, type Logger, silentLogger } from '@q/core'
import type { Authorize, Viewer } from './access/grant.ts'
import { admit } from './access/grant.ts'
import { readCaller } from './access/caller.ts'
import { isLoopbackHost } from './access/local-request.ts'
import { refusalPage, type RefusalReason } from './access/refusal-page.ts'
import { isForeign, isSafe, isSameOrigin } from './access/same-origin.ts'
import { assetAt } from './assets/serve.ts'
import { AuditLog, type AuditEvent } from './commands/audit.ts'
import { createOperations } from './commands/operations.ts'
import { createTicker } from './live/ticker.ts'
import { respondTo } from './respond.ts'
import { matchRoute } from './match-route.ts'
import { problemOf, Problem } from './problem.ts'
import { createReader } from './reads/reader.ts'
import { createRedactor, type RedactOptions } from './redact.ts'
import { resourceOf } from './route.ts'
import type { Site } from './site.ts'
import { readCookies } from './settings.ts'
import { createTimes } from './views/time.ts'
import { relativeLink, type Visit } from './visit.ts'

type Source =
  | { readonly client: BaseClient; readonly storage?: undefined; readonly storages?: undefined }
  | { readonly storage: JobStorage; readonly client?: undefined; readonly storages?: undefined }
  | {
      readonly storages: Readonly<Record<string, JobStorage | BaseClient>>
      readonly client?: undefined
      readonly storage?: undefined
    }

export type DashboardOptions = Source & {
  /**
   * Who may come in, and to do what. Without it the dashboard is open to direct requests from this machine while
   * NODE_ENV is not production, and closed to everybody else. `'none'` opens it to all who reach it.
   */
  readonly authorize?: Authorize | 'none' | undefined
  /** Nothing can be changed, whoever asks. Default false. */
  readonly readOnly?: boolean | undefined
  /** Keys that look like secrets are hidden already; more keys, a rule of your own, or `false` to hide nothing. */
  readonly redact?: RedactOptions | false | undefined
  /** Where it is mounted, for hosts that do not take the prefix off themselves. Default: found from the request. */
  readonly basePath?: string | undefined
  /** Host names it answers to, with port where that is not the usual one. Default: any when `authorize` is given, this machine's otherwise. */
  readonly hosts?: readonly string[] | undefined
  /** Told of every change, and of every request that was refused. */
  readonly onAudit?: ((event: AuditEvent) => void) | undefined
  /** The zone of times for viewers whose browser has not told its own yet. Default 'UTC'. */
  readonly timeZone?: string | undefined
  /** How often a page that is looked at asks for news, in milliseconds. Default 1000. */
  readonly tickMs?: number | undefined
  /** Whom frames may belong to, as sources of `frame-ancestors`. Default none. */
  readonly frameAncestors?: readonly string[] | undefined
  readonly logger?: Logger | undefined
}

/** What the place that mounts the dashboard knows of a request. The environment of Hono on Node and the server of Bun are understood too. */
export interface RequestInfo {
  readonly basePath?: string | undefined
  /** The address of the socket. */
  readonly remoteAddress?: string | undefined
}

export interface Dashboard {
  /** The whole dashboard as one function: Hono, Next, Bun, Deno and workers call it as it is. */
  readonly fetch: (request: Request, info?: unknown) => Promise<Response>
  /** Ends live connections and running operations. */
  close(): void
}

/**
 * Makes a dashboard over a client or a storage.
 *
 * @example
 * const dashboard = createDashboard({ client, authorize: ({ request }) => session(request)?.isAdmin ? { user: 'ada', can: 'admin' } : null })
 * app.use('/admin/jobs', toNode(dashboard))
 */
export function createDashboard(options: DashboardOptions): Dashboard {
  return new MountedDashboard(options)
}

class MountedDashboard implements Dashboard {
  readonly #options: DashboardOptions
  readonly #sites: ReadonlyMap<string, Site>
  readonly #redact: ReturnType<typeof createRedactor>
  readonly #audit: AuditLog
  readonly #logger: Logger
  readonly #basePath: string

  constructor(options: DashboardOptions) {
    this.#options = options
    this.#logger = options.logger ?? silentLogger
    this.#redact = createRedactor(options.redact)
    this.#audit = new AuditLog(options.onAudit, this.#logger)
    this.#sites = sitesOf(options, this.#audit)
    this.#basePath = trimSlash(options.basePath ?? '')
    if (options.authorize === 'none')
      this.#logger.warn('the dashboard is open to everybody who reaches it: authorize is "none"')
  }

  readonly fetch = async (request: Request, info?: unknown): Promise<Response> => {
    const response = await this.#answer(request, info).catch((error: unknown) => this.#failure(request, error))
    return secured(response, this.#options.frameAncestors)
  }

  close(): void {
    for (const { ticker, operations } of this.#sites.values()) {
      ticker.close()
      operations.close()
    }
  }

  async #answer(request: Request, info: unknown): Promise<Response> {
    const url = new URL(request.url)
    const host = request.headers.get('host') ?? url.host
    const path = this.#inside(url.pathname, info)
    if (path === null) return new Response('Not found', { status: 404 })
    if (!this.#knowsHost(host))
      return refuse(
        request,
        path,
        new Problem(
          421,
          'unknown-host',
          `This dashboard does not answer to the name ${JSON.stringify(host)}. Add it to \`hosts\`.`,
        ),
      )
    const caller = readCaller(request, info)
    const verdict = await admit(request, caller, this.#options.authorize)
    if ('response' in verdict) return verdict.response
    if ('refused' in verdict) {
      if (verdict.cause !== undefined)
        this.#logger.error('a request to the dashboard was refused because `authorize` failed', {
          error: String(verdict.cause),
        })
      this.#audit.refused({ request, path, reason: verdict.refused })
      return refuse(request, path, new Problem(403, 'forbidden', forbidden[verdict.refused]), verdict.refused)
    }
    const { viewer } = verdict
    if (!isSafe(request.method)) {
      if (!isSameOrigin(request.headers, host)) {
        this.#audit.refused({ request, path, reason: 'cross-site', user: viewer.user })
        return refuse(
          request,
          path,
          new Problem(
            403,
            'cross-site',
            'This change did not come from a page of this dashboard: neither Sec-Fetch-Site nor Origin says so. A program sends an Authorization header; a proxy must keep the Host header.',
          ),
          'cross-site',
        )
      }
      const isSetting = path.endsWith('/settings')
      if (this.#options.readOnly === true && !isSetting)
        return refuse(request, path, new Problem(403, 'read-only', 'This dashboard is read-only.'), 'read-only')
    }
    if (path.endsWith('/events') && isForeign(request.headers, host))
      return refuse(request, path, new Problem(403, 'cross-site', 'Events are for pages of this dashboard.'))
    const asset = assetAt(path)
    if (asset !== null) return asset(request)
    return this.#dispatch(request, url, path, viewer)
  }

  /** The path inside the dashboard; null when the request is for somebody else. */
  #inside(pathname: string, info: unknown): string | null {
    const given = typeof info === 'object' && info !== null ? (info as RequestInfo).basePath : undefined
    const base = typeof given === 'string' ? trimSlash(given) : this.#basePath
    if (base === '') return pathname
    if (pathname === base) return ''
    return pathname.startsWith(`${base}/`) ? pathname.slice(base.length) : null
  }

  #knowsHost(host: string): boolean {
    const { hosts, authorize } = this.#options
    if (hosts !== undefined) return hosts.includes(host.toLowerCase()) || hosts.includes(host)
    return authorize !== undefined || isLoopbackHost(host)
  }

  async #dispatch(request: Request, url: URL, path: string, viewer: Viewer): Promise<Response> {
    // Links are relative, so the address of the root must end with a slash.
    if (path === '') return redirect(`${url.pathname.slice(url.pathname.lastIndexOf('/') + 1)}/${url.search}`, 308)
    const found = this.#siteOf(path)
    if (found === null) return refuse(request, path, new Problem(404, 'not-found', 'There is no such storage here.'))
    if ('to' in found) return redirect(`${found.to}${url.search}`, 302)
    const { site, inside } = found
    const match = matchRoute(request.method, inside)
    if ('allowed' in match) return refuse(request, path, nowhere(match.allowed))
    const { route, params } = match
    const { theme, zone } = readCookies(request.headers.get('cookie'), this.#options.timeZone)
    const visit: Visit = {
      request,
      path: inside,
      query: url.searchParams,
      params,
      site,
      sites: [...this.#sites.keys()],
      viewer,
      isReadOnly: this.#options.readOnly === true,
      redact: this.#redact,
      audit: this.#audit,
      times: createTimes(zone, Date.now()),
      theme,
      may: (permission, resource = {}) =>
        (this.#options.readOnly !== true || permission === 'jobs.read') &&
        viewer.may(permission, { storage: site.name, ...resource }),
      pageAt,
      to: (target) => relativeLink(inside, target),
    }
    if (!visit.may(route.permission, resourceOf(route.path, params))) {
      this.#audit.refused({ request, path, reason: 'permission', user: viewer.user })
      const problem = new Problem(403, 'permission', `This needs the permission ${route.permission}.`, {
        permission: route.permission,
      })
      return refuse(request, path, problem, 'permission')
    }
    const response = await respondTo(route, visit)
    return request.method === 'HEAD' ? withoutBody(response) : response
  }

  /** One storage stands at the root; several each have a root of their own. */
  #siteOf(path: string): { site: Site; inside: string } | { to: string } | null {
    const names = [...this.#sites.keys()]
    if (names.length === 1) return { site: this.#sites.get(names[0]!)!, inside: path }
    if (path === '/') return { to: `./s/${encodeURIComponent(names[0]!)}/` }
    const match = /^\/s\/([^/]+)(\/.*)?$/.exec(path)
    const site = match === null ? undefined : this.#sites.get(safeDecode(match[1]!))
    if (match === null || site === undefined) return null
    return match[2] === undefined ? { to: `./${match[1]!}/` } : { site, inside: match[2] }
  }

  #failure(request: Request, error: unknown): Response {
    const problem = problemOf(error)
    if (problem.status === 500)
      this.#logger.error('the dashboard failed to answer', {
        url: request.url,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      })
    else if (isQError(error))
      this.#logger.warn('the dashboard could not answer', { url: request.url, error: error.message })
    return refuse(request, new URL(request.url).pathname, problem)
  }
}

const forbidden = {
  closed:
    'This dashboard is closed: it has no `authorize`, so it is open to direct requests from its own machine in development only.',
  denied: 'You may not see this dashboard.',
  failed: 'You may not see this dashboard.',
} as const

function sitesOf(options: DashboardOptions, audit: AuditLog): ReadonlyMap<string, Site> {
  const { tickMs = 1000, logger = silentLogger } = options
  const sources: [string, JobStorage | BaseClient][] =
    options.storages !== undefined ? Object.entries(options.storages) : [['main', options.client ?? options.storage!]]
  if (sources.length === 0 || sources.some(([, source]) => source === undefined))
    throw new TypeError('createDashboard needs a `client`, a `storage` or `storages`.')
  return new Map(
    sources.map(([name, source]) => {
      const client: BaseClient =
        'monitor' in source && 'enqueue' in source
          ? source
          : createClient({ storage: source as JobStorage, name: 'dashboard' })
      const reader = createReader(client)
      const ticker = createTicker({ client, reader, tickMs, logger })
      return [name, { name, client, reader, ticker, operations: createOperations(client, reader, audit) }]
    }),
  )
}

function pageAt(path: string): ReturnType<Visit['pageAt']> {
  const match = matchRoute('GET', path)
  return 'allowed' in match || match.route.kind !== 'page' ? null : { route: match.route, params: match.params }
}

function nowhere(allowed: readonly string[]): Problem {
  if (allowed.length === 0) return new Problem(404, 'not-found', 'There is no such page.')
  return new Problem(405, 'method', `This address understands ${allowed.join(', ')}.`)
}

function withoutBody(response: Response): Response {
  void response.body?.cancel()
  return new Response(null, response)
}

/** A program gets a problem, a person a page. */
function refuse(request: Request, path: string, problem: Problem, reason?: RefusalReason): Response {
  if (/(^|\/)(api|events|healthz)(\/|$)/.test(path)) return problem.toResponse()
  const accepts = request.headers.get('accept') ?? ''
  if (!accepts.includes('text/html') && accepts !== '' && accepts !== '*/*') return problem.toResponse()
  return refusalPage(problem, reason)
}

function redirect(location: string, status: 302 | 308): Response {
  return new Response(null, { status, headers: { location } })
}

function trimSlash(path: string): string {
  return path.replace(/\/+$/, '')
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** What every answer carries, refusals and errors included. */
function secured(response: Response, frameAncestors: readonly string[] | undefined): Response {
  const secure = new Response(response.body, response)
  const { headers } = secure
  const ancestors = frameAncestors === undefined || frameAncestors.length === 0 ? "'none'" : frameAncestors.join(' ')
  const styles = headers.get('x-style-hash')
  headers.delete('x-style-hash')
  headers.set(
    'content-security-policy',
    `default-src 'none'; script-src 'self'; style-src ${styles ?? "'self'"}; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors ${ancestors}; require-trusted-types-for 'script'; trusted-types q`,
  )
  if (ancestors === "'none'") headers.set('x-frame-options', 'DENY')
  headers.set('x-content-type-options', 'nosniff')
  headers.set('referrer-policy', 'same-origin')
  headers.set('cross-origin-opener-policy', 'same-origin')
  headers.set('cross-origin-resource-policy', 'same-origin')
  if (!headers.has('cache-control')) headers.set('cache-control', 'private, no-store')
  return secure
}
