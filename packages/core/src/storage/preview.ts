import type { Payload } from './job.ts'

const mostBytes = 256

/** What lists show of a payload that came without a preview of its own: the start of its text; nothing of bytes. */
export function previewOf(payload: Payload): string | undefined {
  return typeof payload === 'string' ? cutToBytes(payload, mostBytes) : undefined
}

/** The longest start of a text that fits into so many UTF-8 bytes, cut between characters. */
export function cutToBytes(text: string, most: number): string {
  if (text.length * 3 <= most || Buffer.byteLength(text) <= most) return text
  const bytes = Buffer.from(text.slice(0, most))
  let end = most
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}
