import { readFileSync } from 'node:fs'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import type { BaseClient } from '@q/core'
import { createDashboard } from '@q/dashboard'
import { toNode } from '@q/dashboard/node'
import { cancelOrder } from '../shop/cancel-order.ts'
import { isOrderNumber } from '../shop/order.ts'
import { placeOrder } from '../shop/place-order.ts'
import { messagePage, orderPage, shopPage } from './pages.ts'
import { readOrderForm } from './read-form.ts'
import { readOrder } from './read-order.ts'
import { stream } from './stream.ts'
import { readRecent, watchOrder, watchRecent } from './watch.ts'

export interface Web {
  readonly url: string
  close(): Promise<void>
}

const files: Readonly<Record<string, readonly [name: string, type: string]>> = {
  '/style.css': ['style.css', 'text/css'],
  '/live.js': ['live.js', 'text/javascript'],
}

/** The shop's pages and, under /jobs, the dashboard. Listens on the given port, or on the next free one. */
export async function openWeb(client: BaseClient, port: number): Promise<Web> {
  const closing = new AbortController()
  // Without `authorize` it lets in requests from this machine only, and nobody once NODE_ENV says production.
  const dashboard = createDashboard({ client, timeZone: 'Europe/Berlin' })
  const serveDashboard = toNode(dashboard, { basePath: '/jobs' })
  const web = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://shop').pathname
    if (path === '/jobs' || path.startsWith('/jobs/')) return serveDashboard(request, response)
    answerShop(client, path, request, response, closing.signal).catch((error: unknown) => {
      console.error(error)
      if (!response.headersSent) send(response, 500, messagePage('That did not work', 'Please try again.'))
    })
  })
  await listen(web, port)
  return {
    url: `http://localhost:${(web.address() as AddressInfo).port}`,
    async close() {
      closing.abort(new Error('The shop is closing.'))
      dashboard.close()
      const closed = new Promise<void>((done) => web.close(() => done()))
      web.closeAllConnections()
      await closed
    },
  }
}

async function answerShop(
  client: BaseClient,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  const [, area, number = '', action] = path.split('/')
  const route = `${request.method} ${action ?? ''}`
  const file = files[path]
  if (file !== undefined) {
    const [name, type] = file
    return send(response, 200, readFileSync(resolve(import.meta.dirname, name), 'utf8'), type)
  }
  if (path === '/') return send(response, 200, shopPage(await readRecent(client)))
  if (path === '/events') return stream(request, response, (signal) => watchRecent(client, signal), closing)
  if (path === '/orders' && request.method === 'POST') {
    const order = await readOrderForm(request)
    if (typeof order === 'string') return send(response, 422, messagePage('We could not take the order', order))
    await placeOrder(client, order)
    return goTo(response, `/orders/${order.number}`)
  }
  const view = area === 'orders' && isOrderNumber(number) ? await readOrder(client, number) : null
  if (view === null) return send(response, 404, messagePage('Nothing here', 'There is no such page, or no such order.'))
  if (route === 'GET ') return send(response, 200, orderPage(view))
  if (route === 'GET events') return stream(request, response, (signal) => watchOrder(client, number, signal), closing)
  if (route === 'POST cancel') {
    await cancelOrder(client, number)
    return goTo(response, `/orders/${number}`)
  }
  send(response, 405, messagePage('Not like this', 'This page cannot do that.'))
}

function send(response: ServerResponse, status: number, body: string, type = 'text/html'): void {
  response
    .writeHead(status, {
      'content-type': `${type}; charset=utf-8`,
      'content-security-policy': "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
      'cache-control': 'no-store',
    })
    .end(body)
}

function goTo(response: ServerResponse, location: string): void {
  response.writeHead(303, { location }).end()
}

const triedPorts = 20

/** A second shop beside the first takes the next port. Only this machine can visit. */
async function listen(web: ReturnType<typeof createServer>, first: number): Promise<void> {
  for (let port = first; ; port++) {
    try {
      await new Promise<void>((done, fail) => {
        web.once('error', fail)
        web.listen(port, 'localhost', () => {
          web.off('error', fail)
          done()
        })
      })
      return
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
      if (!isTaken || first === 0 || port >= first + triedPorts) throw error
    }
  }
}
