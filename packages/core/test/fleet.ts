import {
  type Client,
  type MemoryStorage,
  type Server,
  type ServerOptions,
  createClient,
  createServer,
  memoryStorage,
} from '../src/index.ts'

/** A storage, a client and one running server, all ended together. */
export interface Fleet extends AsyncDisposable {
  readonly storage: MemoryStorage
  readonly client: Client<MemoryStorage>
  readonly server: Server
}

export async function startFleet(
  options: Omit<ServerOptions, 'storage'> & { readonly storage?: MemoryStorage } = {},
): Promise<Fleet> {
  const storage = options.storage ?? memoryStorage()
  const { filters, codec } = options
  const client = createClient({ storage, filters, codec })
  const server = createServer({ name: 'worker', ...options, storage })
  await server.start()
  return {
    storage,
    client,
    server,
    async [Symbol.asyncDispose]() {
      await server.stop({ grace: '1s' })
      await client.close()
      await storage.close()
    },
  }
}

/** Looks until it is so, or says what it saw last. */
export async function until<T>(
  look: () => T | Promise<T>,
  isSo: (seen: T) => boolean = Boolean,
  withinMs = 5000,
): Promise<T> {
  const endsAt = performance.now() + withinMs
  for (;;) {
    const seen = await look()
    if (isSo(seen)) return seen
    if (performance.now() > endsAt) throw new Error(`not so within ${withinMs} ms; last seen: ${JSON.stringify(seen)}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** A promise that a handler can wait for and a test can fulfil. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}
