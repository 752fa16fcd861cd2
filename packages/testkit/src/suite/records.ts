import { randomFillSync } from 'node:crypto'
import type { ClaimedJob, JobId, NewJob, StateInput, Transition } from '@q/core/storage'

/** The queue of every job that does not name another. */
export const mail = 'mail'

type StateName = 'enqueued' | 'scheduled' | 'awaiting' | 'processing' | 'parked' | 'succeeded' | 'failed' | 'deleted'

/** The states the suite uses. Storages only store their names; the phases are what counts. */
export const states: Readonly<Record<StateName, StateInput>> = {
  enqueued: { name: 'enqueued', phase: 'ready' },
  scheduled: { name: 'scheduled', phase: 'scheduled' },
  awaiting: { name: 'awaiting', phase: 'awaiting' },
  processing: { name: 'processing', phase: 'active' },
  parked: { name: 'enqueued', phase: 'parked', reason: 'no server knows mail.send@2' },
  succeeded: { name: 'succeeded', phase: 'succeeded' },
  failed: { name: 'failed', phase: 'failed', error: { fingerprint: 'Error:boom', preview: 'Error: boom' } },
  deleted: { name: 'deleted', phase: 'deleted' },
}

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
let made = 0

/** A new id; later ones sort behind earlier ones. */
export function newId(): JobId {
  const time = base32(Date.now(), 10)
  const random = randomFillSync(new Uint8Array(8))
  return `${time}00${base32(made++ % 32 ** 6, 6)}${Array.from(random, (byte) => alphabet[byte & 31]).join('')}`
}

function base32(value: number, length: number): string {
  let text = ''
  for (let left = value; text.length < length; left = Math.floor(left / 32)) text = alphabet[left % 32]! + text
  return text
}

/** A plain ready job, but for what is said otherwise. */
export function job(over: Partial<NewJob> = {}): NewJob {
  return { id: newId(), queue: mail, name: 'mail.send', version: 1, payload: '{}', state: states.enqueued, ...over }
}

export function jobs(count: number, over: (index: number) => Partial<NewJob> = () => ({})): NewJob[] {
  return Array.from({ length: count }, (_, index) => job(over(index)))
}

/** A job that waits for the success of its parents, or for the ends it names. */
export function child(parents: JobId | readonly JobId[], over: Partial<NewJob> = {}, on: Ends = ['succeeded']): NewJob {
  const list = typeof parents === 'string' ? [parents] : parents
  return job({ state: states.awaiting, after: list.map((parent) => ({ parent, on })), ...over })
}
type Ends = NonNullable<NewJob['after']>[number]['on']

/** The answers of a run: each applies only while its claim holds the job. */
export function succeed(claimed: ClaimedJob, over: Partial<Transition> = {}): Transition {
  return { id: claimed.id, token: claimed.token, to: states.succeeded, ranMs: 5, ...over }
}

export function fail(claimed: ClaimedJob, over: Partial<Transition> = {}): Transition {
  return { id: claimed.id, token: claimed.token, to: states.failed, ranMs: 5, ...over }
}

/** Failed, and again after a while; at once without `delay`. */
export function retry(claimed: ClaimedJob, delay?: number, over: Partial<Transition> = {}): Transition {
  const to = delay === undefined ? states.enqueued : states.scheduled
  return { id: claimed.id, token: claimed.token, via: [states.failed], to, delay, ranMs: 5, ...over }
}

/** Never started: back to its old place, the attempt not counted. */
export function handBack(claimed: ClaimedJob, over: Partial<Transition> = {}): Transition {
  return { id: claimed.id, token: claimed.token, to: states.enqueued, attempt: 'undo', ...over }
}

export function park(claimed: ClaimedJob, parkedFor: string): Transition {
  return { id: claimed.id, token: claimed.token, to: states.parked, attempt: 'undo', parkedFor }
}

let commands = 0

/** A command from outside a run, to any job that is in one of these phases. */
export function command(
  id: JobId,
  from: NonNullable<Transition['from']>,
  to: StateInput,
  over: Partial<Transition> = {},
): Transition {
  return { id, from, to, command: `command-${++commands}`, by: 'operator', ...over }
}

export function requeue(id: JobId, over: Partial<Transition> = {}): Transition {
  return command(id, ['succeeded', 'failed', 'deleted', 'scheduled'], states.enqueued, { attempt: 'reset', ...over })
}

/** Asks an active job to stop; anything that waits is deleted at once. */
export function cancel(id: JobId, over: Partial<Transition> = {}): Transition {
  return command(id, ['awaiting', 'scheduled', 'ready', 'active', 'parked'], states.deleted, {
    grace: 10_000,
    ...over,
  })
}

/** Deletes whatever the job is doing. */
export function remove(id: JobId, over: Partial<Transition> = {}): Transition {
  const anywhere = ['awaiting', 'scheduled', 'ready', 'active', 'parked', 'failed', 'succeeded'] as const
  return command(id, anywhere, states.deleted, { force: true, ...over })
}

export function idsOf(list: readonly { readonly id: JobId }[]): JobId[] {
  return list.map(({ id }) => id)
}
