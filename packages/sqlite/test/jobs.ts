import { randomBytes } from 'node:crypto'
import type { Claim, JobStorage, NewJob } from '@q/core/storage'

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

export function newId(): string {
  return `0${[...randomBytes(25)].map((byte) => alphabet[byte & 31]).join('')}`
}

/** A job that can be claimed at once. */
export function job(over: Partial<NewJob> = {}): NewJob {
  const state = { name: 'enqueued', phase: 'ready' } as const
  return { id: newId(), queue: 'mail', name: 'send', version: 1, payload: '{"to":"ada"}', state, ...over }
}

export function jobs(count: number, over: Partial<NewJob> = {}): NewJob[] {
  return Array.from({ length: count }, () => job(over))
}

/** Jobs whose ids sort as they come, like those of a client. */
export function growing(count: number, over: Partial<NewJob> = {}): NewJob[] {
  const ids = Array.from({ length: count }, newId).sort()
  return ids.map((id) => job({ ...over, id }))
}

export const asking = (max: number): Claim => ({
  max,
  queues: [{ name: 'mail' }],
  state: { name: 'processing', phase: 'active' },
})

export const succeeded = { name: 'succeeded', phase: 'succeeded' } as const

/** Claims and completes until nothing is left; answers what was run. */
export async function drain(storage: JobStorage, server: string): Promise<string[]> {
  const session = newId()
  await storage.work.open({ id: session, server, ttl: 60_000, info: '{}' })
  const ran: string[] = []
  let apply: { id: string; token: string; to: typeof succeeded }[] = []
  for (let call = 1; ; call++) {
    const reply = await storage.work.exchange({ session, call, apply, claim: asking(20) })
    apply = reply.claimed.map(({ id, token }) => ({ id, token, to: succeeded }))
    ran.push(...apply.map(({ id }) => id))
    if (apply.length === 0 && !reply.more) break
  }
  await storage.work.end(session)
  return ran
}
