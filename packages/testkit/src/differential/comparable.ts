/** Instants and what follows from the pace of a clock: two storages never agree on these. */
const ofTime = new Set(
  (
    'at now nextDue createdAt readyAt claimedAt dueAt removeAt expiresAt oldestReadyAt seenAt openedAt firstAt lastAt ' +
    'opensAt waitedMs waitMs ahead trend sample fence'
  ).split(' '),
)
/** Of several parents that decide at once any may be named. */
const ofAParent = /^parent \w+ (\w+|is gone)$/
/** Lists whose order means nothing. */
const unordered = new Set(['parents', 'holders', 'cancel', 'names', 'gates', 'tags'])

/** A result without what two correct storages may differ in: plain data that can be compared. */
export function comparable(value: unknown, key = ''): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  if (Array.isArray(value)) {
    const list = value.map((item) => comparable(item))
    return unordered.has(key) ? list.toSorted((a, b) => (textOf(a) < textOf(b) ? -1 : 1)) : list
  }
  if (key === 'reason' && typeof value === 'string') return value.replace(ofAParent, 'of a parent')
  if (typeof value !== 'object' || value === null) return value
  const fields: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(value)) {
    if (field === undefined || field === null || field === false || ofTime.has(name)) continue
    fields[name] = comparable(field, name)
  }
  return fields
}

function textOf(value: unknown): string {
  return JSON.stringify(
    typeof value === 'object' && value !== null
      ? Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
      : value,
  )
}
