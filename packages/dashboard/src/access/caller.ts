/** Who sent a request, as far as the host application can tell. */
export interface Caller {
  /** The address of the socket. Unknown where only a Request arrives. */
  readonly address: string | undefined
}

/** Reads the second argument of `fetch`: ours, the one of Hono on Node (`incoming`), or Bun's server (`requestIP`). */
export function readCaller(request: Request, info: unknown): Caller {
  if (typeof info !== 'object' || info === null) return { address: undefined }
  const { remoteAddress, incoming } = info as { remoteAddress?: unknown; incoming?: { socket?: unknown } }
  if (typeof remoteAddress === 'string') return { address: remoteAddress }
  const socket = incoming?.socket as { remoteAddress?: unknown } | undefined
  if (typeof socket?.remoteAddress === 'string') return { address: socket.remoteAddress }
  if ('requestIP' in info && typeof info.requestIP === 'function') {
    const found: unknown = info.requestIP(request)
    const address: unknown = typeof found === 'object' && found !== null ? Reflect.get(found, 'address') : undefined
    if (typeof address === 'string') return { address }
  }
  return { address: undefined }
}
