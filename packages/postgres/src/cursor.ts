import { QError } from '@q/core/storage'

/** Where a page ended: the list it belongs to, then what its last item was ordered by. */
export type Mark = readonly (string | number)[]

export function writeCursor(list: string, mark: Mark): string {
  return Buffer.from(JSON.stringify([list, ...mark])).toString('base64url')
}

export function readCursor(cursor: string | undefined, list: string, length: number): Mark | undefined {
  if (cursor === undefined) return undefined
  const parts = parse(cursor)
  const isMark = parts.slice(1).every((part) => typeof part === 'string' || typeof part === 'number')
  if (parts[0] !== list || parts.length !== length + 1 || !isMark) throw unreadable(cursor)
  return parts.slice(1) as Mark
}

function parse(cursor: string): readonly unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (Array.isArray(parts)) return parts
  } catch (cause) {
    throw unreadable(cursor, cause)
  }
  throw unreadable(cursor)
}

function unreadable(cursor: string, cause?: unknown): QError {
  return new QError(
    'Q_OPTION_INVALID',
    `The cursor "${cursor.slice(0, 80)}" was not made by this list. Start from the first page.`,
    { cause },
  )
}
