import { QError } from '@q/core/storage'

/** Opaque places in lists: what they were made by, and the values their order compares. */
export function writeCursor(order: string, values: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify([order, ...values])).toString('base64url')
}

export function readCursor(
  text: string | undefined,
  order: string,
  kinds: readonly ('string' | 'number')[],
): readonly (string | number)[] | undefined {
  if (text === undefined) return undefined
  const [of, ...values] = parsed(text)
  if (of === order && values.length === kinds.length && kinds.every((kind, i) => typeof values[i] === kind)) {
    return values as (string | number)[]
  }
  throw unreadable(text)
}

function parsed(text: string): readonly unknown[] {
  try {
    const values: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    if (Array.isArray(values)) return values
  } catch (cause) {
    throw unreadable(text, cause)
  }
  throw unreadable(text)
}

function unreadable(text: string, cause?: unknown): QError {
  return new QError(
    'Q_OPTION_INVALID',
    `The cursor "${text.slice(0, 80)}" was not made by this list. Start from the first page.`,
    { cause },
  )
}
