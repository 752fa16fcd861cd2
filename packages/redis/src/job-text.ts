import type { NewJob } from '@q/core/storage'

const bytesMark = '~bytes'

/** A finished job as one text, the same for equal jobs: members in order of their names, bytes as base64. */
export function encodeJob(job: NewJob): string {
  return JSON.stringify(canonical(job))
}

export function decodeJob(text: string): NewJob {
  return restored(JSON.parse(text)) as NewJob
}

function canonical(value: unknown): unknown {
  if (value instanceof Uint8Array) return { [bytesMark]: Buffer.from(value).toString('base64') }
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, canonical(member)]),
  )
}

function restored(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(restored)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  if (entries.length === 1 && entries[0]![0] === bytesMark) return new Uint8Array(Buffer.from(entries[0]![1], 'base64'))
  return Object.fromEntries(entries.map(([key, member]) => [key, restored(member)]))
}
