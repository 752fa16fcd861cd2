import type { Payload } from '@q/core/storage'

/**
 * Payloads are stored as text, so that people can read them in the database. What is no storable text starts with this
 * character: then a letter for its kind, then base64. A text that starts with it, or holds what PostgreSQL's text cannot
 * (NUL, lone surrogates), travels as `u`; bytes as `b`.
 */
const mark = '\u0001'

/** Between two payloads that travel in one text. A payload that holds it is noticed: then there seem to be too many. */
export const payloadSeparator = '\u0001\u001e'

export function packPayload(payload: Payload): string {
  if (typeof payload === 'string') {
    return payload.startsWith(mark) || !isStorable(payload)
      ? `${mark}u${Buffer.from(payload, 'utf16le').toString('base64')}`
      : payload
  }
  return `${mark}b${Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64')}`
}

export function unpackPayload(text: string): Payload {
  if (!text.startsWith(mark)) return text
  const bytes = Buffer.from(text.slice(2), 'base64')
  return text[1] === 'u' ? bytes.toString('utf16le') : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Text for people: what cannot be stored is replaced, since nobody compares it. */
export function storable(text: string): string {
  return isStorable(text) ? text : text.toWellFormed().replaceAll('\0', '\u2400')
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}
