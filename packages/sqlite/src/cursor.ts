import type { JobId, Ms } from '@q/core/storage'
import { QError } from '@q/core/storage'

/** A place in any order of jobs: what the last job of a page was compared by. */
export interface Cursor {
  readonly id: JobId
  readonly at: Ms
  readonly queue: string
  readonly priority: number
  readonly seq: number
  readonly dueAt: Ms
  readonly born: number
}

export function writeCursor(order: string, { id, at, queue, priority, seq, dueAt, born }: Cursor): string {
  return encode([order, id, at, queue, priority, seq, dueAt, born])
}

export function readCursor(text: string | undefined, order: string): Cursor | undefined {
  if (text === undefined) return undefined
  const [of, id, at, queue, priority, seq, dueAt, born] = decode(text)
  if (of !== order || typeof id !== 'string' || typeof queue !== 'string') throw unreadable(text)
  if (!isNumber(at) || !isNumber(priority) || !isNumber(seq) || !isNumber(dueAt) || !isNumber(born))
    throw unreadable(text)
  return { id, at, queue, priority, seq, dueAt, born }
}

/** Cursors of lists that are not of jobs: where to go on. */
export function writeMark(...mark: readonly (string | number)[]): string {
  return encode(['mark', ...mark])
}

export function readMark(text: string | undefined): readonly unknown[] | undefined {
  if (text === undefined) return undefined
  const [of, ...mark] = decode(text)
  if (of !== 'mark') throw unreadable(text)
  return mark
}

export function unreadable(text: string, cause?: unknown): QError {
  const message = `The cursor "${text.slice(0, 80)}" was not made by this list. Start from the first page.`
  return new QError('Q_OPTION_INVALID', message, { cause })
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number'
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
