import type { ClientCore } from '../client/client-core.ts'
import type { Payload } from '../storage/job.ts'

/** What a server says about itself when it opens its session, for the dashboard and for `explain`. */
export interface ServerInfo {
  readonly host: string
  readonly pid: number
  readonly node: string
  readonly version: string
  readonly startedAt: number
  readonly concurrency: number
  /** As given to the server, wildcards included. */
  readonly queues: readonly string[]
  /** 'name@version' of every job it can run. */
  readonly jobs: readonly string[]
}

export function readServerInfo(core: Pick<ClientCore, 'tryDecode'>, payload: Payload): ServerInfo | undefined {
  const info = core.tryDecode(payload)
  if (typeof info !== 'object' || info === null) return undefined
  const { queues, jobs } = info as Partial<ServerInfo>
  return Array.isArray(queues) && Array.isArray(jobs) ? (info as ServerInfo) : undefined
}
