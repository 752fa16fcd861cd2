import type { JobId, Ms } from '../storage/job.ts'
import { QError } from '../errors.ts'
import type { StoredJob } from './job.ts'

/** A place in any order of jobs: what the last job of a page was compared by. */
export interface Cursor {
  readonly id: JobId
  readonly enteredAt: Ms
  readonly queue: string
  readonly priority: number
  readonly seq: number
  readonly dueAt: Ms | undefined
  readonly born: number
}

export function writeCursor(order: string, job: StoredJob): string {
  const { id, enteredAt, lane, priority, seq, dueAt, born } = job
  return encode([order, id, enteredAt, lane.queue.name, priority, seq, dueAt ?? 0, born])
}

export function readCursor(text: string | undefined, order: string): Cursor | undefined {
  if (text === undefined) return undefined
  const [of, id, enteredAt, queue, priority, seq, dueAt, born] = decode(text)
  const numbers = [enteredAt, priority, seq, dueAt, born]
  if (of !== order || typeof id !== 'string' || typeof queue !== 'string') throw unreadable(text)
  if (!numbers.every((number) => typeof number === 'number')) throw unreadable(text)
  const [entry, level, place, due, birth] = numbers as [number, number, number, number, number]
  return { id, enteredAt: entry, queue, priority: level, seq: place, dueAt: due, born: birth }
}

/** Cursors of lists that are not of jobs: one number or text to go on from. */
export function writeMark(mark: string): string {
  return encode(['mark', mark])
}

export function readMark(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const [of, mark] = decode(text)
  if (of !== 'mark' || typeof mark !== 'string') throw unreadable(text)
  return mark
}

function encode(parts: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url')
}

function decode(text: string): readonly unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    if (Array.isArray(parts)) return parts
  } catch (cause) {
    throw unreadable(text, cause)
  }
  throw unreadable(text)
}

function unreadable(text: string, cause?: unknown): QError {
  const message = `The cursor "${text.slice(0, 80)}" was not made by this list. Start from the first page.`
  return new QError('Q_OPTION_INVALID', message, { cause })
}
