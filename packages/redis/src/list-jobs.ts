import { isFinalPhase, matchesQuery, phases } from '@q/core/storage'
import { listOf, mapOf, numberOf, textOf, textsOf } from './codec/answer.ts'
import { fingerprintOf, phaseNumber } from './codec/layout.ts'
import { readRecord, summaryOf } from './codec/record.ts'
import { readCursor, writeCursor } from './cursor.ts'
import { unpack } from './msgpack.ts'
import { pageClaims, pageDue, pageEntered } from './scripts/monitor.ts'
import type { JobQuery, JobSummary, Page, PageRequest, QueryFacts } from '@q/core/storage'
import type { JobRecord } from './codec/record.ts'
import type { Database } from './database.ts'

/** A page looks at no more jobs than this, then it says how far it came. */
const mostScanned = 5_000
const chunk = 200

/** A place in a list, and the job there. */
interface Candidate {
  readonly record: JobRecord
  readonly place: readonly (string | number)[]
}

/** Candidates in order, from a place on; `next` is where to go on, absent at the end. */
interface Stretch {
  readonly candidates: readonly Candidate[]
  readonly next?: readonly (string | number)[] | undefined
}

export async function listJobs(db: Database, query: JobQuery, page: PageRequest): Promise<Page<JobSummary>> {
  const order = page.order ?? 'newest'
  const walk = walkOf(db, query, order)
  let place = readCursor(page.cursor, order, walk.kinds)
  const items: JobSummary[] = []
  let scanned = 0
  // What does not match is read past in ever larger steps.
  for (let count = page.limit + 1; ; count *= 2) {
    const stretch = await walk.read(place, Math.min(chunk, count))
    for (const candidate of stretch.candidates) {
      if (items.length === page.limit || scanned === mostScanned) {
        const next = writeCursor(order, place!)
        return scanned === mostScanned ? { items, next, searched: { scanned, complete: false } } : { items, next }
      }
      scanned++
      place = candidate.place
      if (matchesQuery(factsOf(candidate.record, query), query)) items.push(summaryOf(candidate.record))
    }
    if (stretch.next === undefined) return { items }
    place = stretch.next
    if (scanned >= mostScanned) {
      return { items, next: writeCursor(order, place), searched: { scanned, complete: false } }
    }
  }
}

export async function countJobs(
  db: Database,
  query: JobQuery,
  max: number,
): Promise<{ readonly value: number; readonly exact: boolean }> {
  if (isCounted(query)) {
    const value = await countedValue(db, query)
    return { value: Math.min(value, max), exact: value <= max }
  }
  const walk = walkOf(db, query, 'newest')
  let value = 0
  let scanned = 0
  let place: readonly (string | number)[] | undefined
  for (;;) {
    const stretch = await walk.read(place, 1_000)
    for (const { record } of stretch.candidates) {
      if (scanned++ === mostScanned * 4) return { value, exact: false }
      if (!matchesQuery(factsOf(record, query), query)) continue
      if (value === max) return { value, exact: false }
      value++
    }
    if (stretch.next === undefined) return { value, exact: true }
    place = stretch.next
  }
}

/** Counters know phases and queues. */
function isCounted(query: JobQuery): boolean {
  return Object.entries(query).every(([field, value]) => field === 'phase' || field === 'queue' || value === undefined)
}

async function countedValue(db: Database, query: JobQuery): Promise<number> {
  const wanted = new Set((query.phase ?? phases).map(phaseNumber))
  if (query.queue) {
    const fields = [...new Set(query.queue)].flatMap((queue) => [...wanted].map((phase) => `${phase}${queue}`))
    if (fields.length === 0) return 0
    const values = (await db.read('HMGET', db.keys.of('queues'), ...fields)) as (Buffer | null)[]
    return values.reduce((sum, value) => sum + Number(value?.toString() ?? 0), 0)
  }
  const all = (await db.read('HGETALL', db.keys.of('queues'))) as Buffer[]
  let sum = 0
  for (let i = 0; i < all.length; i += 2) {
    if (wanted.has(Number(all[i]!.toString('latin1', 0, 1)))) sum += Number(all[i + 1]!.toString())
  }
  return sum
}

interface Walk {
  readonly kinds: readonly ('string' | 'number')[]
  read(place: readonly (string | number)[] | undefined, count: number): Promise<Stretch>
}

function walkOf(db: Database, query: JobQuery, order: NonNullable<PageRequest['order']>): Walk {
  switch (order) {
    case 'newest':
    case 'oldest':
      return { kinds: ['number', 'string'], read: byEntry(db, query, order) }
    case 'claim':
      return { kinds: ['string', 'string'], read: (place, count) => byClaim(db, query, place, count) }
    case 'due':
      return { kinds: ['number', 'string'], read: (place, count) => byDue(db, query, place, count) }
    default:
      return order satisfies never
  }
}

type Place = readonly (string | number)[]

/**
 * Several phases are merged; none may be shown beyond what the others have been read to. What was read beyond that is kept
 * for the next stretch, and only a phase of which nothing is left is read on.
 */
function byEntry(db: Database, query: JobQuery, order: 'newest' | 'oldest'): Walk['read'] {
  const sign = order === 'newest' ? -1 : 1
  const compare = (a: Place, b: Place): number =>
    sign * ((a[0] as number) - (b[0] as number) || (a[1]! < b[1]! ? -1 : a[1]! > b[1]! ? 1 : 0))
  const base = { newest: order === 'newest', from: query.enteredAfter, to: query.enteredBefore }
  const phasesRead = sourcesOf(query).map((source) => ({
    source,
    ahead: [] as Candidate[],
    next: undefined as Place | undefined,
    isOpen: true,
  }))
  return async (place, count) => {
    await Promise.all(
      phasesRead.map(async (phase) => {
        if (phase.ahead.length > 0 || !phase.isOpen) return
        const [at, id] = (phase.next ?? place ?? []) as [number?, string?]
        const { candidates, next } = await readEntered(db, { ...base, at, id, count, ...phase.source })
        Object.assign(phase, { ahead: [...candidates], next, isOpen: next !== undefined })
      }),
    )
    const horizon = phasesRead
      .map(({ next }) => next)
      .filter((next) => next !== undefined)
      .sort(compare)[0]
    const candidates: Candidate[] = []
    for (const phase of phasesRead) {
      const isNear = (candidate: Candidate): boolean => horizon === undefined || compare(candidate.place, horizon) <= 0
      candidates.push(...phase.ahead.filter(isNear))
      phase.ahead = phase.ahead.filter((candidate) => !isNear(candidate))
    }
    return { candidates: candidates.sort((a, b) => compare(a.place, b.place)), next: horizon }
  }
}

function sourcesOf(query: JobQuery): { phase: number; fp?: string; parent?: string }[] {
  if (query.session !== undefined) return [{ phase: phaseNumber('active'), fp: fingerprintOf(query.session) }]
  if (query.parent !== undefined) return [{ phase: 0, parent: query.parent }]
  return [...new Set(query.phase ?? phases)].map((phase) => ({ phase: phaseNumber(phase) }))
}

async function readEntered(
  db: Database,
  args: Parameters<typeof db.look<NonNullable<(typeof pageEntered)['args']>>>[1],
): Promise<Stretch> {
  const [head, ...rest] = (await db.look(pageEntered, args)) as [Buffer, ...Buffer[]]
  const facts = mapOf(unpack(head))
  const candidates: Candidate[] = []
  for (let i = 0; i < rest.length; i += 2) {
    const record = readRecord(rest[i]!.toString('latin1'), rest[i + 1]!)
    candidates.push({ record, place: [record.at, record.id] })
  }
  if (facts.get('more') !== true) return { candidates }
  const [at, id] = listOf(facts.get('last'))
  return at === undefined ? { candidates } : { candidates, next: [numberOf(at)!, textOf(id)] }
}

async function byClaim(
  db: Database,
  query: JobQuery,
  place: readonly (string | number)[] | undefined,
  count: number,
): Promise<Stretch> {
  const names =
    query.queue ?? ((await db.read('ZRANGE', db.keys.of('names', 'queue'), 0, -1)) as Buffer[]).map(String).sort()
  const from = place === undefined ? 0 : names.indexOf(place[0] as string)
  for (const [index, queue] of names.entries()) {
    if (index < from) continue
    const after = index === from && place !== undefined ? Buffer.from(place[1] as string, 'base64url') : undefined
    const [head, ...records] = (await db.look(pageClaims, {
      queue,
      after: after?.length === 0 ? undefined : after,
      count,
    })) as [Buffer, ...Buffer[]]
    const facts = mapOf(unpack(head))
    const candidates = listOf(facts.get('spots')).map((spot, i): Candidate => {
      const bytes = spot as Buffer
      return {
        record: readRecord(bytes.toString('latin1', 8), records[i]!),
        place: [queue, bytes.toString('base64url')],
      }
    })
    const last = facts.get('last')
    if (last instanceof Buffer) return { candidates, next: [queue, last.toString('base64url')] }
  }
  return { candidates: [] }
}

async function byDue(
  db: Database,
  query: JobQuery,
  place: readonly (string | number)[] | undefined,
  count: number,
): Promise<Stretch> {
  if (query.phase?.includes('scheduled') === false) return { candidates: [] }
  const [head, ...rest] = (await db.look(pageDue, {
    at: place?.[0] as number | undefined,
    member: place === undefined ? undefined : Buffer.from(place[1] as string, 'base64url'),
    count,
  })) as [Buffer, ...Buffer[]]
  const marks = listOf(mapOf(unpack(head)).get('marks')).map((mark): readonly (string | number)[] => {
    const [at, member] = listOf(mark)
    return [numberOf(at)!, (member as Buffer).toString('base64url')]
  })
  const candidates = marks.map((mark, i): Candidate => {
    return { record: readRecord(rest[2 * i]!.toString('latin1'), rest[2 * i + 1]!), place: mark }
  })
  return candidates.length < count ? { candidates } : { candidates, next: marks.at(-1) }
}

function factsOf(record: JobRecord, query: JobQuery): QueryFacts {
  const summary = summaryOf(record)
  const lastError = isFinalPhase(record.phase) ? undefined : record.extra.get('err')
  const recurring = mapOf(record.extra.get('rec'))
  const isHeldBy =
    query.session !== undefined && record.phase === 'active' && record.run?.fp === fingerprintOf(query.session)
  return {
    ...summary,
    lastError: lastError === undefined ? undefined : textOf(lastError),
    recurring:
      recurring.size === 0 ? undefined : { id: textOf(recurring.get('id')), at: numberOf(recurring.get('at'))! },
    session: isHeldBy ? query.session : undefined,
    parents: textsOf(record.extra.get('parents')),
  }
}
