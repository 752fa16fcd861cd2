/**
 * When a recurring job starts if its occurrences are spread over `jitterMs`: at the occurrence or up to so much later.
 * It follows from the id and the instant alone, so that all servers, and a repeated tick, come to the same.
 */
export function withJitter(recurringId: string, occurrenceMs: number, jitterMs: number): number {
  return occurrenceMs + Math.floor((hash(`${recurringId}\n${occurrenceMs}`) / 2 ** 32) * (jitterMs + 1))
}

/** FNV-1a over UTF-16 units, then mixed: neighbouring instants differ in their last digits only. */
function hash(text: string): number {
  let bits = 0x811c9dc5
  for (let i = 0; i < text.length; i++) bits = Math.imul(bits ^ text.charCodeAt(i), 0x01000193)
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
