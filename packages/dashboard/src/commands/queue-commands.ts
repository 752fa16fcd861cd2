import type { Duration } from '@q/core'
import { parseDuration } from '@q/core'
import { Problem } from '../problem.ts'
import type { Visit } from '../visit.ts'
import { signature } from './job-command.ts'

export interface PauseWish {
  readonly reason?: string | undefined
  /** A duration; absent or empty = until somebody resumes it. */
  readonly for?: string | undefined
}

export function pauseUntil({ for: wait }: PauseWish): Date | undefined {
  return wait === undefined || wait === '' ? undefined : new Date(Date.now() + parseDuration(wait as Duration, 'for'))
}

export async function pauseQueue(visit: Visit, name: string, wish: PauseWish): Promise<void> {
  await demandQueue(visit, name)
  await visit.site.client.queues.pause(name, { ...signature(visit, wish.reason), until: pauseUntil(wish) })
}

export async function resumeQueue(visit: Visit, name: string): Promise<void> {
  await demandQueue(visit, name)
  await visit.site.client.queues.resume(name)
}

export interface LimitWish {
  readonly maxActive: number | null
  readonly rate: { readonly limit: number; readonly per: string } | null
}

export async function limitQueue(visit: Visit, name: string, { maxActive, rate }: LimitWish): Promise<void> {
  await demandQueue(visit, name)
  await visit.site.client.queues.set(name, {
    maxActive,
    rate: rate === null ? null : { limit: rate.limit, per: rate.per as Duration },
  })
}

/** A name mistyped in an address must not make a queue. */
async function demandQueue(visit: Visit, name: string): Promise<void> {
  const { reader } = visit.site
  const [counts, queues] = await Promise.all([reader.counts(), reader.queues()])
  if (Object.hasOwn(counts.byQueue, name) || queues.some((queue) => queue.name === name)) return
  throw new Problem(404, 'not-found', 'There is no such queue: no job was ever put into it.')
}
