import type { JobId } from '@q/core/storage'

/**
 * Job ids are stored as uuid: the same 128 bits in the same order. Two letters are the first byte, then every four
 * letters are five hex digits.
 */
const letters = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const values = new Uint8Array(128)
for (let value = 0; value < 32; value++) values[letters.charCodeAt(value)] = value

export function idToUuid(id: JobId): string {
  let hex = hexOf((values[id.charCodeAt(0)]! << 5) | values[id.charCodeAt(1)]!, 0x100)
  for (let at = 2; at < 26; at += 4) {
    hex += hexOf(
      (values[id.charCodeAt(at)]! << 15) |
        (values[id.charCodeAt(at + 1)]! << 10) |
        (values[id.charCodeAt(at + 2)]! << 5) |
        values[id.charCodeAt(at + 3)]!,
      0x100000,
    )
  }
  return hex
}

export function uuidToId(uuid: string): JobId {
  const hex =
    uuid.length === 32
      ? uuid
      : uuid.slice(0, 8) + uuid.slice(9, 13) + uuid.slice(14, 18) + uuid.slice(19, 23) + uuid.slice(24)
  const first = Number.parseInt(hex.slice(0, 2), 16)
  let id = letters[first >> 5]! + letters[first & 31]!
  for (let at = 2; at < 32; at += 5) {
    const bits = Number.parseInt(hex.slice(at, at + 5), 16)
    id += letters[bits >> 15]! + letters[(bits >> 10) & 31]! + letters[(bits >> 5) & 31]! + letters[bits & 31]!
  }
  return id
}

/** `full` is one more than the greatest value of so many digits: its own leading 1 keeps the zeros. */
function hexOf(value: number, full: number): string {
  return (value + full).toString(16).slice(1)
}

/** As PostgreSQL writes it. */
export function dashed(uuid: string): string {
  return uuid.length === 36
    ? uuid
    : `${uuid.slice(0, 8)}-${uuid.slice(8, 12)}-${uuid.slice(12, 16)}-${uuid.slice(16, 20)}-${uuid.slice(20)}`
}
