import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Html } from './html.ts'

/** Server-sent events: one page part after another, until the part is final or the visitor leaves. */
export async function stream(
  request: IncomingMessage,
  response: ServerResponse,
  parts: (signal: AbortSignal) => AsyncIterable<Html>,
  closing: AbortSignal,
): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  request.socket.setNoDelay(true)
  const signal = AbortSignal.any([gone.signal, closing])
  try {
    for await (const part of parts(signal)) response.write(`data: ${JSON.stringify(part.toString())}\n\n`)
    response.end('event: end\ndata:\n\n')
  } catch (error) {
    response.end()
    if (!signal.aborted) throw error
  }
}
