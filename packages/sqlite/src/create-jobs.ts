import type { CreateOutcome, Edge, FinalPhase, JobId, NewJob, StateInput } from '@q/core/storage'
import { defaultPriority, isFinalPhase, replacedBy, unmetBy, whyInvalidJob } from '@q/core/storage'
import { maxPayload } from './capabilities.ts'
import { type Cold, encodeCold, packState } from './codec.ts'
import {
  type Placed,
  created,
  createPlain,
  createPlainJob,
  exists,
  isKnown,
  isPlain,
  place,
  rememberCreation,
} from './create-plain.ts'
import { isMetBy, maskOf, openEdge } from './edges.ts'
import { arrive, enterState, queueNamed } from './enter-state.ts'
import { addJob } from './statements/create.ts'
import { hasJob } from './statements/job.ts'
import { release, settle } from './settle.ts'
import type { Store } from './store.ts'
import { type StoredJob, loadJob, makeRare, phaseIn, saveJob, writeHistory } from './stored-job.ts'
import { holderOf, takeKey } from './unique-keys.ts'

/** Stores jobs in the order of the list; only a job whose parent stands later in the list waits for it. */
export function createJobs(store: Store, list: readonly NewJob[]): CreateOutcome[] {
  const outcomes: CreateOutcome[] = []
  let places: ReadonlyMap<JobId, number> | undefined
  let plain: Placed[] = []
  const storePlain = (): void => {
    if (plain.length > 0) createPlain(store, plain, outcomes)
    plain = []
  }
  for (let index = 0; index < list.length; index++) {
    if (outcomes[index] !== undefined) continue
    const job = list[index]!
    const reason = whyInvalidJob(job, maxPayload)
    if (reason !== null) {
      outcomes[index] = { ok: 'invalid', reason }
      continue
    }
    if (isPlain(job)) {
      plain.push(place(job, index))
      continue
    }
    storePlain()
    if (job.after === undefined) {
      outcomes[index] = createJob(store, job)
      continue
    }
    places ??= firstPlaces(list)
    createWithParents(store, list, index, places, outcomes, [])
  }
  storePlain()
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
    if (place === undefined || outcomes[place] !== undefined || store.db.get(hasJob, parent) !== undefined) continue
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
  if (isPlain(input)) return createPlainJob(store, place(input, 0), true)
  if (isKnown(store, input.id)) return exists
  const missing = input.after?.find((edge) => edge.missing !== 'met' && store.db.get(hasJob, edge.parent) === undefined)
  if (missing !== undefined) return { ok: 'orphan', missing: missing.parent }
  const holder = input.unique && holderOf(store, input.unique.key)
  if (holder !== undefined) {
    const present = loadJob(store, holder)!
    const phase = phaseIn(present)
    if (input.unique!.conflict !== 'replace' || phase === 'active' || isFinalPhase(phase)) {
      return { ok: 'duplicate', holder }
    }
    enterState(store, present, { to: replacedBy(input.id) })
  }
  const job = storeRare(store, input)
  store.tally.row(job.name, job.queue.n, store.now).created++
  takeKey(store, job)
  rememberCreation(store, input)
  arrive(store, job, { to: input.state, dueAt: input.at ?? store.now + (input.delay ?? 0) })
  if (input.after !== undefined) attach(store, job, input.after)
  if (store.decisions.length > 0) settle(store)
  return holder === undefined ? created : { ok: 'created', replaced: holder }
}

/** The rows of a job that is rare from its birth; its phase has put it nowhere yet. */
function storeRare(store: Store, input: NewJob): StoredJob {
  const { now } = store
  const queue = queueNamed(store, input.queue)
  const name = store.words.number('job', input.name)
  const state = store.words.number('state', input.state.name)
  const { id, version, by = '', priority = defaultPriority } = input
  const born = store.queues.takePlaces()
  const cold = encodeCold(input)
  const row = [id, queue.n, name, version, priority, born, now, state, input.by ?? null] as const
  store.db.run(addJob, ...row, cold, input.preview ?? null, input.payload)
  writeHistory(store, id, 1, input.state, now, 0, by)
  return {
    id,
    name,
    version,
    createdAt: now,
    born,
    cold: cold === null ? {} : (JSON.parse(cold) as Cold),
    isRare: true,
    queue,
    priority,
    seq: 0,
    state: input.state,
    n: 1,
    at: now,
    by,
    command: undefined,
    attempt: 0,
    crashes: 0,
    readyAt: now,
    dueAt: undefined,
    removeAt: undefined,
    waitedMs: undefined,
    ranMs: undefined,
    parkedFor: undefined,
    lastError: undefined,
    claim: null,
    rest: restOf(store, input),
    derived: [],
  }
}

function restOf(store: Store, { unique, gates, after, then, at, delay, expires }: NewJob): StoredJob['rest'] {
  const rest: StoredJob['rest'] = {}
  if (expires !== undefined) rest.expiresAt = store.now + expires
  if (unique !== undefined) {
    const expiresAt = unique.ttl === undefined ? undefined : store.now + unique.ttl
    rest.key = { key: unique.key, until: unique.until, expiresAt }
  }
  if (gates?.length) rest.gates = gates.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  if (after !== undefined) {
    rest.parents = [...new Set(after.map(({ parent }) => parent))]
    rest.then = then && packState(then)
    rest.thenAt = at
    rest.thenDelay = delay
  }
  return rest
}

/** Opens the edges of a new child. A parent that has ended already decides at once, and a job that nothing keeps waiting is released. */
function attach(store: Store, child: StoredJob, edges: readonly Edge[]): void {
  let last: { parent: JobId; end: FinalPhase | 'gone' } | undefined
  let unmet: StateInput | undefined
  let open = 0
  for (const edge of edges) {
    const parent = loadJob(store, edge.parent)
    if (parent === undefined) {
      last = { parent: edge.parent, end: 'gone' }
      continue
    }
    const phase = phaseIn(parent)
    const isOpen = !isFinalPhase(phase) || (phase === 'failed' && !isMetBy(maskOf(edge), phase))
    if (!parent.isRare) {
      // Only the end of a rare job looks for edges.
      makeRare(store, parent)
      saveJob(store, parent)
    }
    openEdge(store, parent.id, child.id, edge, isOpen)
    if (isOpen) open++
    else if (isMetBy(maskOf(edge), phase as FinalPhase)) last = { parent: parent.id, end: phase as FinalPhase }
    else unmet ??= unmetBy(parent.id, phase as FinalPhase)
  }
  if (unmet !== undefined) enterState(store, child, { to: unmet })
  else if (last !== undefined && open === 0) release(store, child, last.parent, last.end)
}
