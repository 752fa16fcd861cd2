import type { Edge, FinalPhase, JobId, NewJob, StateInput } from '../storage/job.ts'
import { defaultCrashLimit, defaultPriority, isFinalPhase } from '../storage/job.ts'
import type { CreateOutcome } from '../storage/jobs.ts'
import { replacedBy, unmetBy } from '../storage/entered.ts'
import { whyInvalidJob } from '../storage/validate.ts'
import { maxPayload } from './capabilities.ts'
import { copyPayload, copyState, frozenCopy } from './copy.ts'
import { familyOf, isMetBy, maskOf, openEdge } from './edges.ts'
import { arrive, enterState } from './enter-state.ts'
import { type Rare, type StoredJob, phaseOf, rareOf } from './job.ts'
import { laneOf } from './queue.ts'
import { release, settle } from './settle.ts'
import { type Store, queueOf, stubOf } from './store.ts'

/** Stores jobs in the order of the list; only a job whose parent stands later in the list waits for it. */
export function createJobs(store: Store, list: readonly NewJob[]): CreateOutcome[] {
  const outcomes: CreateOutcome[] = []
  let places: ReadonlyMap<JobId, number> | undefined
  for (let index = 0; index < list.length; index++) {
    const job = list[index]!
    if (job.after === undefined || outcomes[index] !== undefined) {
      outcomes[index] ??= createJob(store, job)
      continue
    }
    places ??= firstPlaces(list)
    createWithParents(store, list, index, places, outcomes, [])
  }
  return outcomes
}

/** Parents of the same list first. `path` holds the jobs that are waiting for this one to be created. */
function createWithParents(
  store: Store,
  list: readonly NewJob[],
  index: number,
  places: ReadonlyMap<JobId, number>,
  outcomes: CreateOutcome[],
  path: readonly JobId[],
): void {
  const job = list[index]!
  for (const { parent } of job.after ?? []) {
    const place = places.get(parent)
    if (place === undefined || outcomes[place] !== undefined || store.jobs.has(parent)) continue
    if (parent !== job.id && path.includes(parent)) {
      const cycle = [...path.slice(path.indexOf(parent)), job.id]
      const reason = `these jobs wait for each other: ${[...cycle, parent].join(' → ')}`
      for (const id of cycle) outcomes[places.get(id)!] = { ok: 'invalid', reason }
      return
    }
    if (parent === job.id) continue
    createWithParents(store, list, place, places, outcomes, [...path, job.id])
    if (outcomes[index] !== undefined) return
  }
  outcomes[index] = createJob(store, job)
}

function firstPlaces(list: readonly NewJob[]): ReadonlyMap<JobId, number> {
  const places = new Map<JobId, number>()
  for (const [index, { id }] of list.entries()) if (!places.has(id)) places.set(id, index)
  return places
}

function createJob(store: Store, input: NewJob): CreateOutcome {
  const reason = whyInvalidJob(input, maxPayload)
  if (reason !== null) return { ok: 'invalid', reason }
  if (store.jobs.has(input.id) || stubOf(store, input.id) !== undefined) return { ok: 'exists' }
  const missing = input.after?.find((edge) => edge.missing !== 'met' && !store.jobs.has(edge.parent))
  if (missing !== undefined) return { ok: 'orphan', missing: missing.parent }
  const holder = input.unique && store.keys.holder(input.unique.key, store.now)
  if (holder !== undefined) {
    if (input.unique!.conflict !== 'replace' || phaseOf(holder) === 'active' || isFinalPhase(phaseOf(holder))) {
      return { ok: 'duplicate', holder: holder.id }
    }
    enterState(store, holder, { to: replacedBy(input.id) })
  }
  const job = storedJob(store, input)
  store.jobs.set(job.id, job)
  store.tally.row(job.lane, store.now).created++
  for (const tag of job.tags) store.tags.set(tag, (store.tags.get(tag) ?? 0) + 1)
  store.keys.take(job)
  store.schedules.remember(job)
  arrive(store, job, { to: job.state.state, dueAt: input.at ?? store.now + (input.delay ?? 0) })
  if (input.after !== undefined) attach(store, job, input.after)
  if (store.decisions.length > 0) settle(store)
  return holder === undefined ? created : { ok: 'created', replaced: holder.id }
}

function storedJob(store: Store, input: NewJob): StoredJob {
  const { now } = store
  const state = copyState(input.state)
  return {
    id: input.id,
    enteredAt: now,
    chunk: null,
    slot: 0,
    version: input.version,
    payload: copyPayload(input.payload),
    preview: input.preview,
    tags: copyList(input.tags),
    recurring: input.recurring && { id: input.recurring.id, at: input.recurring.at },
    keep: input.keep && frozenCopy(input.keep),
    crashLimit: input.crashLimit ?? defaultCrashLimit,
    createdAt: now,
    born: ++store.born,
    lane: laneOf(queueOf(store, input.queue), input.name),
    priority: input.priority ?? defaultPriority,
    seq: 0,
    state: { state, n: 1, at: now, attempt: 0, by: input.by ?? '', command: undefined, previous: null },
    attempt: 0,
    crashes: 0,
    readyAt: now,
    dueAt: undefined,
    removeAt: undefined,
    waitedMs: undefined,
    ranMs: undefined,
    params: input.params === undefined ? noParams : frozenCopy(input.params),
    claim: null,
    rare: rareSide(store, input),
  }
}

/** Null for a plain job, which pays for nothing of this. */
function rareSide(store: Store, input: NewJob): Rare | null {
  const { unique, gates, after, expires } = input
  if (unique === undefined && after === undefined && expires === undefined && !gates?.length) return null
  const rare: Rare = {}
  if (expires !== undefined) rare.expiresAt = store.now + expires
  if (unique !== undefined) {
    const expiresAt = unique.ttl === undefined ? undefined : store.now + unique.ttl
    rare.key = { key: unique.key, until: unique.until, expiresAt }
  }
  if (gates?.length) rare.gates = frozenCopy(gates).toSorted((a, b) => (a.key < b.key ? -1 : 1))
  if (after !== undefined) {
    rare.family = {
      parents: [...new Set(after.map((edge) => edge.parent))],
      waitsFor: new Set(),
      release: input.then && copyState(input.then),
      releaseAt: input.at,
      releaseDelay: input.delay,
      open: new Map(),
      children: new Set(),
    }
  }
  return rare
}

/** Opens the edges of a new child. A parent that has ended already decides at once, and a job that nothing keeps waiting is released. */
function attach(store: Store, child: StoredJob, edges: readonly Edge[]): void {
  let last: { parent: JobId; end: FinalPhase | 'gone' } | undefined
  let unmet: StateInput | undefined
  for (const edge of edges) {
    const parent = store.jobs.get(edge.parent)
    if (parent === undefined) {
      last = { parent: edge.parent, end: 'gone' }
      continue
    }
    familyOf(parent).children.add(child)
    const phase = phaseOf(parent)
    const mask = maskOf(edge)
    if (!isFinalPhase(phase) || (phase === 'failed' && !isMetBy(mask, phase))) openEdge(parent, child, mask)
    else if (isMetBy(mask, phase)) last = { parent: parent.id, end: phase }
    else unmet ??= unmetBy(parent.id, phase)
  }
  if (unmet !== undefined) enterState(store, child, { to: unmet })
  else if (last !== undefined && rareOf(child).family!.waitsFor.size === 0) release(store, child, last.parent, last.end)
}

function copyList(list: readonly string[] | undefined): readonly string[] {
  return list === undefined || list.length === 0 ? noTags : Object.freeze([...list])
}

/** The answer that nearly every job gets. */
const created: CreateOutcome = Object.freeze({ ok: 'created' })
const noParams: Readonly<Record<string, string>> = Object.freeze({})
const noTags: readonly string[] = Object.freeze([])
