import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dashboard } from './dashboard.ts'
import { toNode } from './node.ts'

/** As much of Fastify as is used here, so that no version of it is demanded. */
interface FastifyLike {
  readonly prefix: string
  removeAllContentTypeParsers(): void
  addContentTypeParser(
    type: string,
    parser: (request: unknown, payload: unknown, done: (error: null) => void) => void,
  ): unknown
  all(path: string, handler: (request: FastifyRequestLike, reply: FastifyReplyLike) => void): unknown
}

interface FastifyRequestLike {
  readonly raw: IncomingMessage
}

interface FastifyReplyLike {
  readonly raw: ServerResponse
  hijack(): void
}

export type FastifyPlugin = (fastify: FastifyLike, options: unknown, done: (error?: Error) => void) => void

/**
 * The dashboard as a plugin of Fastify.
 *
 * @example
 * fastify.register(toFastify(dashboard), { prefix: '/admin/jobs' })
 */
export function toFastify(dashboard: Dashboard): FastifyPlugin {
  return (fastify, _options, done) => {
    const handle = toNode(dashboard, { basePath: fastify.prefix })
    // The body stays a stream, and only in here: plugins have parsers of their own.
    fastify.removeAllContentTypeParsers()
    fastify.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null))
    const answer = (request: FastifyRequestLike, reply: FastifyReplyLike): void => {
      reply.hijack()
      handle(request.raw, reply.raw)
    }
    // The wildcard does not match the prefix itself.
    fastify.all('/', answer)
    fastify.all('/*', answer)
    done()
  }
}
