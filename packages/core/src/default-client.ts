import type { BaseClient } from './client/client-types.ts'
import { QError } from './errors.ts'

let client: BaseClient | null = null

/** For programs that want the short form: one client for the whole process. Null takes it away again. */
export function setDefaultClient(value: BaseClient | null): void {
  client = value
}

/** The client of `setDefaultClient`. */
export function defaultClient(): BaseClient {
  if (client !== null) return client
  throw new QError(
    'Q_NO_DEFAULT_CLIENT',
    'No default client is set. Call setDefaultClient(client) once at start, or pass a client along.',
  )
}
