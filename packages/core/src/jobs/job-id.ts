import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { systemClock } from '../clock.ts'
import { QError } from '../errors.ts'
import type { JobId } from '../storage/job.ts'
import { isJobId } from '../storage/validate.ts'

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const randomCharacters = 14

/** A pool per clock: one call for random bytes serves many ids. */
const pools = new WeakMap<Clock, { readonly bytes: Uint8Array; next: number }>()

/**
 * A new job id: it sorts by the moment it was made, and nobody can guess it.
 *
 * @example
 * const id = newJobId()
 * await client.enqueue(charge, order, { id })   // safe to repeat with the same id
 */
export function newJobId(clock: Clock = systemClock): JobId {
  let id = ''
  for (let time = clock.now(), n = 0; n < 10; n++) {
    id = alphabet[time % 32]! + id
    time = Math.floor(time / 32)
  }
  return `${id}00${randomText(clock, randomCharacters)}`
}

/**
 * The id that always belongs to this text: enqueueing the same order twice is then one job.
 *
 * @example
 * await client.enqueue(charge, order, { id: jobIdFrom(`charge:${order.id}`) })
 */
export function jobIdFrom(text: string): JobId {
  const hash = createHash('sha256').update(text).digest()
  let id = alphabet[hash[0]! & 7]!
  for (let bit = 8; id.length < 26; bit += 5) {
    const word = (hash[bit >> 3]! << 8) | hash[(bit >> 3) + 1]!
    id += alphabet[(word >> (11 - (bit & 7))) & 31]
  }
  return id
}

/** Random characters of the id alphabet, five bits each. */
export function randomText(clock: Clock, length: number): string {
  let pool = pools.get(clock)
  if (pool === undefined || pool.next + length > pool.bytes.length) {
    pool = { bytes: new Uint8Array(4096), next: 0 }
    clock.fill(pool.bytes)
    pools.set(clock, pool)
  }
  let text = ''
  for (let n = 0; n < length; n++) text += alphabet[pool.bytes[pool.next++]! & 31]
  return text
}

export function checkJobId(id: string): JobId {
  if (typeof id === 'string' && isJobId(id)) return id
  throw new QError(
    'Q_ID_INVALID',
    `"${String(id).slice(0, 60)}" is not a job id: ids have 26 characters. Make one with newJobId(), or derive one from any text with jobIdFrom('order-7').`,
  )
}
