import { getRequestListener } from '@hono/node-server'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dashboard } from './dashboard.ts'

export interface NodeOptions {
  /** The path it stands at, where nobody takes that off before: plain `http` servers. Express, Connect and Nest do. */
  readonly basePath?: string | undefined
}

export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => void

/**
 * The dashboard as a handler of Node: `http.createServer(toNode(dashboard))`, `app.use('/admin/jobs', toNode(dashboard))`
 * in Express, Connect and Nest, `toNode(dashboard)(ctx.req, ctx.res)` in Koa.
 */
export function toNode(dashboard: Dashboard, options: NodeOptions = {}): NodeHandler {
  const { basePath } = options
  const listen = getRequestListener(
    (request, { incoming }) => {
      const { remoteAddress } = incoming.socket
      return dashboard.fetch(request, { remoteAddress, ...(basePath === undefined ? {} : { basePath }) })
    },
    // What Request and Response are is for the application to decide.
    { overrideGlobalObjects: false },
  )
  return (request, response) => {
    const slashed = slashMissing(request as MountedRequest)
    if (slashed !== null) {
      response.writeHead(308, { location: slashed }).end()
      return
    }
    giveBodyBack(request as MountedRequest)
    void listen(request, response)
  }
}

interface MountedRequest extends IncomingMessage {
  /** What the browser asked for, where a framework has cut `url`. */
  readonly originalUrl?: string | undefined
  readonly body?: unknown
  rawBody?: unknown
}

/** Mounted at `/admin/jobs`, the root arrives as `/` even when the browser asked without the slash that links need. */
function slashMissing({ url = '/', originalUrl, method }: MountedRequest): string | null {
  if (originalUrl === undefined || (method !== 'GET' && method !== 'HEAD')) return null
  const [inside = ''] = url.split('?', 1)
  const [outside = '', query] = originalUrl.split('?', 2)
  if (inside !== '/' || outside.endsWith('/')) return null
  return `${outside.slice(outside.lastIndexOf('/') + 1)}/${query === undefined ? '' : `?${query}`}`
}

/** A body parser that ran before has eaten the stream; what it made of it is turned back. */
function giveBodyBack(request: MountedRequest): void {
  const { body } = request
  if (body === undefined || request.rawBody !== undefined || !request.readableEnded) return
  request.rawBody = Buffer.isBuffer(body)
    ? body
    : Buffer.from(typeof body === 'string' ? body : serialize(body, request.headers['content-type'] ?? ''))
}

function serialize(body: unknown, type: string): string {
  if (!type.startsWith('application/x-www-form-urlencoded')) return JSON.stringify(body)
  const fields = new URLSearchParams()
  for (const [name, value] of Object.entries(body as Record<string, unknown>)) {
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) fields.append(name, String(one))
  }
  return fields.toString()
}
