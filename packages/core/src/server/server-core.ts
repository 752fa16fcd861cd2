import type { BaseClient } from '../client/client-types.ts'
import type { ClientCore } from '../client/client-core.ts'
import type { JobRegistry } from './job-registry.ts'

/** What the parts of a server share. Its filter sets are those for the ends of runs. */
export interface ServerCore extends ClientCore {
  readonly registry: JobRegistry
  readonly client: BaseClient
  readonly provided: Readonly<Record<string, unknown>>
  /** How the server is called, for people. */
  readonly name: string
  readonly concurrency: number
  readonly ttlMs: number
  readonly heartbeatMs: number
}
