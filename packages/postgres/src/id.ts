import type { JobId } from '@q/core/storage'

/**
 * Job ids are stored as uuid: the same 128 bits in the same order. Two letters are the first byte, then every four
 * letters are five hex digits. Written into bytes and made text once: every job comes this way, in and out.
 */
const letters = Buffer.from('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 'latin1')
const digits = Buffer.from('0123456789abcdef', 'latin1')
const letterValues = valuesOf(letters)
const digitValues = valuesOf(digits)
const dash = '-'.charCodeAt(0)
const comma = ','.charCodeAt(0)
const open = '{'.charCodeAt(0)
const close = '}'.charCodeAt(0)
const scratch = Buffer.allocUnsafe(32)

export function idToUuid(id: JobId): string {
  return scratch.toString('latin1', 0, writeUuid(scratch, 0, id))
}

/** As PostgreSQL reads `uuid[]`. */
export function uuidList(ids: readonly JobId[]): string {
  const text = Buffer.allocUnsafe(ids.length * 33 + 1)
  let at = 0
  for (const id of ids) {
    text[at] = comma
    at = writeUuid(text, at + 1, id)
  }
  text[0] = open
  text[at] = close
  return text.toString('latin1')
}

/** With dashes or without. */
export function uuidToId(uuid: string): JobId {
  let from = 0
  const digit = (): number => {
    if (uuid.charCodeAt(from) === dash) from++
    return digitValues[uuid.charCodeAt(from++)]!
  }
  let bits = (digit() << 4) | digit()
  scratch[0] = letters[bits >> 5]!
  scratch[1] = letters[bits & 31]!
  for (let at = 2; at < 26; at += 4) {
    bits = (digit() << 16) | (digit() << 12) | (digit() << 8) | (digit() << 4) | digit()
    scratch[at] = letters[bits >> 15]!
    scratch[at + 1] = letters[(bits >> 10) & 31]!
    scratch[at + 2] = letters[(bits >> 5) & 31]!
    scratch[at + 3] = letters[bits & 31]!
  }
  return scratch.toString('latin1', 0, 26)
}

/** As PostgreSQL writes it. */
export function dashed(uuid: string): string {
  return uuid.length === 36
    ? uuid
    : `${uuid.slice(0, 8)}-${uuid.slice(8, 12)}-${uuid.slice(12, 16)}-${uuid.slice(16, 20)}-${uuid.slice(20)}`
}

/** Returns where it ends. */
function writeUuid(text: Buffer, at: number, id: JobId): number {
  const value = (place: number): number => letterValues[id.charCodeAt(place)]!
  let bits = (value(0) << 5) | value(1)
  text[at] = digits[bits >> 4]!
  text[at + 1] = digits[bits & 15]!
  let to = at + 2
  for (let from = 2; from < 26; from += 4, to += 5) {
    bits = (value(from) << 15) | (value(from + 1) << 10) | (value(from + 2) << 5) | value(from + 3)
    text[to] = digits[bits >> 16]!
    text[to + 1] = digits[(bits >> 12) & 15]!
    text[to + 2] = digits[(bits >> 8) & 15]!
    text[to + 3] = digits[(bits >> 4) & 15]!
    text[to + 4] = digits[bits & 15]!
  }
  return to
}

function valuesOf(symbols: Buffer): Uint8Array {
  const values = new Uint8Array(128)
  for (const [value, symbol] of symbols.entries()) values[symbol] = value
  return values
}
