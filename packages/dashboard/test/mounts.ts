import { getRequestListener } from '@hono/node-server'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import 'reflect-metadata'
import compression from 'compression'
import express from 'express'
import Fastify from 'fastify'
import helmet from 'helmet'
import { Hono } from 'hono'
import Koa from 'koa'
import { createRequire } from 'node:module'
import http, { type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Dashboard } from '../src/index.ts'
import { toFastify } from '../src/fastify.ts'
import { toNode } from '../src/node.ts'

// These two come without types.
const untyped = createRequire(import.meta.url)
const express4 = untyped('express4') as typeof express
const mount = untyped('koa-mount') as (path: string, app: Koa) => Koa.Middleware

/** Puts a dashboard at a path of an application; resolves with a listener or a running server. */
export type Mount = (dashboard: Dashboard, base: string) => Promise<RequestListener | Server> | RequestListener | Server

/** Every way there is to mount it. `base` is '' or a path without slash at its end. */
export const mounts: Readonly<Record<string, Mount>> = {
  http: (dashboard, base) => toNode(dashboard, { basePath: base }),
  'express 5': (dashboard, base) =>
    express().use(base === '' ? '/' : base, toNode(dashboard)) as unknown as RequestListener,
  'express 4': (dashboard, base) =>
    express4().use(base === '' ? '/' : base, toNode(dashboard)) as unknown as RequestListener,
  'express 5 behind body parsers, helmet and compression': (dashboard, base) =>
    express()
      .use(helmet(), compression(), express.json(), express.urlencoded())
      .use(base === '' ? '/' : base, toNode(dashboard)) as unknown as RequestListener,
  'express 4 behind body parsers': (dashboard, base) => {
    const app = express4()
    return app
      .use(express.json(), express.urlencoded({ extended: true }))
      .use(base === '' ? '/' : base, toNode(dashboard)) as unknown as RequestListener
  },
  async fastify(dashboard, base) {
    const fastify = Fastify()
    await fastify.register(toFastify(dashboard) as never, { prefix: base })
    await fastify.listen({ port: 0, host: '127.0.0.1' })
    return fastify.server
  },
  koa(dashboard, base) {
    const handle = toNode(dashboard, { basePath: base })
    return new Koa()
      .use((context) => {
        context.respond = false
        handle(context.req, context.res)
      })
      .callback() as RequestListener
  },
  'koa-mount'(dashboard, base) {
    const handle = toNode(dashboard)
    const app = new Koa().use((context) => {
      context.respond = false
      // koa-mount cuts the address; what the browser asked for is known to Koa alone.
      handle(Object.assign(context.req, { originalUrl: context.originalUrl }), context.res)
    })
    return new Koa().use(mount(base === '' ? '/' : base, app)).callback() as RequestListener
  },
  hono(dashboard, base) {
    const app = new Hono()
    app.all(`${base}/*`, (context) => dashboard.fetch(context.req.raw, { ...(context.env as object), basePath: base }))
    return getRequestListener(app.fetch)
  },
  'the handler shape of Next'(dashboard, base) {
    // app/admin/jobs/[[...path]]/route.ts exports one function per method.
    const handle = (request: Request): Promise<Response> => dashboard.fetch(request, { basePath: base })
    const route: Record<string, (request: Request) => Promise<Response>> = {
      GET: handle,
      HEAD: handle,
      POST: handle,
      PUT: handle,
      DELETE: handle,
    }
    return getRequestListener((request) => route[request.method]!(request))
  },
  async nest(dashboard, base) {
    class AppModule {}
    Module({})(AppModule)
    const app = await NestFactory.create(AppModule, new ExpressAdapter(), { logger: false })
    app.use(base === '' ? '/' : base, toNode(dashboard))
    await app.listen(0, '127.0.0.1')
    return app.getHttpServer() as Server
  },
}

export interface Listening {
  readonly url: string
  close(): Promise<void>
}

export async function listen(mounted: ReturnType<Mount>): Promise<Listening> {
  const given = await mounted
  const server = typeof given === 'function' ? http.createServer(given) : given
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** A proxy in front: takes a prefix off, adds one, or leaves the path alone. It hides nothing of itself. */
export function proxyTo(target: string, rewrite: (path: string) => string | null): RequestListener {
  return (request, response) => {
    const path = rewrite(request.url ?? '/')
    if (path === null) {
      response.writeHead(404).end()
      return
    }
    const headers = { ...request.headers, 'x-forwarded-for': request.socket.remoteAddress ?? '' }
    const onward = http.request(target + path, { method: request.method ?? 'GET', headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
    request.pipe(onward)
  }
}
