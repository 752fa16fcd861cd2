import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { systemClock } from '../clock.ts'
import { QError } from '../errors.ts'
import type { JobId } from '../storage/job.ts'
import { isJobId } from '../storage/validate.ts'

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const randomCharacters = 14
/** For each byte, the character of its last five bits. */
const characters = Uint8Array.from({ length: 256 }, (_, byte) => alphabet.charCodeAt(byte & 31))
/** Two characters for each place inside a millisecond. */
const places = Array.from({ length: 1024 }, (_, place) => alphabet[place >> 5]! + alphabet[place & 31]!)

/** What the ids of one clock are made of: one call for random bytes serves many. */
interface Pool {
  text: string
  next: number
  /** The present millisecond, the beginning of its ids, and how many there are. */
  at: number
  prefix: string
  made: number
}

const pools = new WeakMap<Clock, Pool>()
const poolSize = 4096

/**
 * A new job id: it sorts by the moment it was made, and nobody can guess it.
 *
 * @example
 * const id = newJobId()
 * await client.enqueue(charge, order, { id })   // safe to repeat with the same id
 */
export function newJobId(clock: Clock = systemClock): JobId {
  const pool = poolOf(clock)
  const now = clock.now()
  if (pool.at !== now) {
    pool.at = now
    pool.prefix = timeText(now)
    pool.made = 0
  }
  // Inside a millisecond the first thousand sort as they were made: an index takes what comes at its end fastest.
  return pool.prefix + places[Math.min(pool.made++, 1023)]! + takeText(clock, pool, randomCharacters)
}

function timeText(now: number): string {
  let text = ''
  for (let time = now, n = 0; n < 10; n++) {
    text = alphabet[time % 32]! + text
    time = Math.floor(time / 32)
  }
  return text
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
  return takeText(clock, poolOf(clock), length)
}

function poolOf(clock: Clock): Pool {
  let pool = pools.get(clock)
  if (pool === undefined) pools.set(clock, (pool = { text: '', next: 0, at: -1, prefix: '', made: 0 }))
  return pool
}

function takeText(clock: Clock, pool: Pool, length: number): string {
  if (pool.next + length > pool.text.length) {
    const bytes = Buffer.allocUnsafe(poolSize)
    clock.fill(bytes)
    for (let n = 0; n < poolSize; n++) bytes[n] = characters[bytes[n]!]!
    pool.text = bytes.toString('latin1')
    pool.next = 0
  }
  return pool.text.slice(pool.next, (pool.next += length))
}

export function checkJobId(id: string): JobId {
  if (typeof id === 'string' && isJobId(id)) return id
  throw new QError(
    'Q_ID_INVALID',
    `"${String(id).slice(0, 60)}" is not a job id: ids have 26 characters. Make one with newJobId(), or derive one from any text with jobIdFrom('order-7').`,
  )
}
