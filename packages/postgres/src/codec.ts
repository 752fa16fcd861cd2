import {
  type ApplyOutcome,
  type ClaimedJob,
  type CreateOutcome,
  type JobCircle,
  type NewJob,
  type StateInput,
  type StateRecord,
  type Transition,
  claimToken,
  cutToBytes,
  defaultPriority,
  isJobId,
  parseToken,
} from '@q/core/storage'
import { flag } from './flags.ts'
import { idToUuid, uuidToId } from './id.ts'
import type { Names } from './names.ts'
import { packPayload, storable, unpackPayload } from './payload.ts'
import { phase, phaseOf } from './phases.ts'
import { type StoredState, storeState } from './stored-state.ts'

/** A job on its way in. Short keys: a thousand of them travel together. */
export interface JobRow {
  readonly i: number
  readonly id: string
  readonly q: number
  readonly nm: number
  readonly v: number
  readonly pr: number
  readonly ph: number
  readonly fl: number
  readonly pl: string
  readonly pv?: string | undefined
  readonly by?: string | undefined
  readonly tg?: readonly string[] | undefined
  readonly pm?: Readonly<Record<string, string>> | undefined
  readonly ra?: Readonly<Record<string, unknown>> | undefined
  readonly cl?: number | undefined
  readonly ex?: number | undefined
  readonly at?: number | undefined
  readonly dl?: number | undefined
  /** Edges. */
  readonly af?: readonly { readonly parent: string; readonly mask: number; readonly met: boolean }[] | undefined
  /** Jobs of the same list, this one among them, that wait for each other: invalid, unless one of them is stored already. */
  readonly ci?: readonly string[] | undefined
}

/** A text payload longer than this has its preview stored beside it, so that lists need not read it. */
export const inlinePreviewBytes = 1000
const edgeBits = { succeeded: 1, failed: 2, deleted: 4 } as const

export function encodeJob(job: NewJob, i: number, names: Names): JobRow {
  const { state, unique, recurring } = job
  const gates = job.gates?.length ? job.gates.toSorted((a, b) => (a.key < b.key ? -1 : 1)) : undefined
  let flags = 0
  if (unique !== undefined) flags |= unique.until === 'claimed' ? flag.uniqueUntilClaimed : flag.uniqueUntilFinal
  if (gates !== undefined) flags |= flag.gated
  if (job.expires !== undefined) flags |= flag.expires
  if (job.keep !== undefined) flags |= flag.keeps
  if (recurring !== undefined) flags |= flag.occurrence
  const isPlainState =
    state.phase === 'ready' &&
    state.name === 'enqueued' &&
    state.reason === undefined &&
    state.data === undefined &&
    !state.error
  const isAwaiting = state.phase === 'awaiting'
  const rare = {
    st: isPlainState ? undefined : storeState(state),
    unique,
    gates,
    keep: job.keep,
    recurring,
    then: job.then && storeState(job.then),
    at: isAwaiting ? job.at : undefined,
    delay: isAwaiting ? job.delay : undefined,
  }
  return {
    i,
    id: idToUuid(job.id),
    q: names.queue(job.queue),
    nm: names.name(job.name),
    v: job.version,
    pr: job.priority ?? defaultPriority,
    ph: phase[state.phase],
    fl: flags,
    pl: packPayload(job.payload),
    pv: previewToStore(job),
    by: job.by === undefined || job.by === '' ? undefined : storable(job.by),
    tg: job.tags?.length ? job.tags : undefined,
    pm:
      job.params && Object.keys(job.params).length > 0
        ? (storableParams(job.params) as Record<string, string>)
        : undefined,
    ra: isPlainState && flags === 0 && !isAwaiting ? undefined : rare,
    cl: job.crashLimit,
    ex: job.expires,
    at: isAwaiting ? undefined : job.at,
    dl: isAwaiting ? undefined : job.delay,
    af: job.after?.map((edge) => ({
      parent: idToUuid(edge.parent),
      mask: edge.on.reduce((mask, end) => mask | edgeBits[end], 0),
      met: edge.missing === 'met',
    })),
  }
}

function previewToStore(job: NewJob): string | undefined {
  if (job.preview !== undefined) return storable(job.preview)
  if (typeof job.payload !== 'string' || job.payload.length <= inlinePreviewBytes) return undefined
  return storable(cutToBytes(job.payload, 256))
}

function storableParams(params: Readonly<Record<string, string | null>>): Record<string, string | null> {
  return Object.fromEntries(
    Object.entries(params).map(([key, value]) => [storable(key), value === null ? null : storable(value)]),
  )
}

/** Jobs that take something shared are stored one after another; the others in one statement. */
export function isSlowToCreate(row: JobRow): boolean {
  return row.af !== undefined || (row.fl & (flag.uniqueUntilClaimed | flag.uniqueUntilFinal | flag.occurrence)) !== 0
}

/** As the functions answer creation: the places of the plain ones that were stored, and the outcomes of the others. */
export interface CreateReply {
  readonly plain: readonly number[] | null
  readonly slow: readonly RawOutcome[] | null
}

export interface RawOutcome {
  readonly i: number
  readonly ok: string
  readonly replaced?: string
  readonly holder?: string
  readonly missing?: string
  readonly released?: number
  readonly phase?: number
  readonly state?: string
  readonly plain?: readonly number[]
  readonly slow?: readonly RawOutcome[]
}

export function decodeCreateOutcome(raw: RawOutcome, circle: JobCircle | undefined): CreateOutcome {
  switch (raw.ok) {
    case 'created':
      return raw.replaced === undefined ? { ok: 'created' } : { ok: 'created', replaced: uuidToId(raw.replaced) }
    case 'exists':
      return { ok: 'exists' }
    case 'duplicate':
      return { ok: 'duplicate', holder: uuidToId(raw.holder!) }
    case 'orphan':
      return { ok: 'orphan', missing: uuidToId(raw.missing!) }
    case 'circle':
      return { ok: 'invalid', reason: circle!.reason }
    default:
      throw new TypeError(`"${raw.ok}" is no outcome of a creation`)
  }
}

/** A transition on its way in. */
export interface ChangeRow {
  readonly i: number
  readonly id: string
  readonly ts?: string | undefined
  readonly tc?: number | undefined
  readonly from?: readonly (number | { readonly state: string })[] | undefined
  readonly cm?: string | undefined
  readonly by?: string | undefined
  readonly to: StoredState
  readonly via?: readonly StoredState[] | undefined
  readonly dl?: number | undefined
  readonly at?: number | undefined
  readonly q?: number | undefined
  readonly pr?: number | undefined
  readonly am?: 'undo' | 'reset' | undefined
  readonly pf?: string | undefined
  readonly fo?: true | undefined
  readonly gr?: number | undefined
  readonly pm?: Readonly<Record<string, string | null>> | undefined
  readonly kp?: { readonly ms: number | null } | undefined
  readonly rn?: number | undefined
  readonly cp?: readonly JobRow[] | undefined
  readonly cs?: readonly JobRow[] | undefined
  /** A follow-up has a unique key. */
  readonly uq?: true | undefined
}

/** No claim ever made this token: it names a session that cannot be. */
const nobody = { session: '', call: -1 } as const

export function encodeChange(
  change: Transition,
  i: number,
  names: Names,
  plain: readonly JobRow[],
  slow: readonly JobRow[],
): ChangeRow {
  const token = change.token === undefined ? undefined : (parseToken(change.token) ?? nobody)
  return {
    i,
    id: idToUuid(change.id),
    ts: token && storable(token.session),
    tc: token?.call,
    from: change.from?.map((from) => (typeof from === 'string' ? phase[from] : { state: storable(from.state) })),
    cm: change.command === undefined ? undefined : storable(change.command),
    by: change.by === undefined ? undefined : storable(change.by),
    to: storeState(change.to),
    via: change.via?.map(storeState),
    dl: change.delay,
    at: change.at,
    q: change.queue === undefined ? undefined : names.queue(change.queue),
    pr: change.priority,
    am: change.attempt === 'count' ? undefined : change.attempt,
    pf: change.parkedFor === undefined ? undefined : storable(change.parkedFor),
    fo: change.force === true ? true : undefined,
    gr: change.grace,
    pm: change.params && storableParams(change.params),
    kp: change.keep === undefined ? undefined : { ms: change.keep },
    rn: change.ranMs,
    cp: change.create === undefined ? undefined : plain,
    cs: slow.length > 0 ? slow : undefined,
    uq: slow.some((row) => row.ra?.['unique'] !== undefined) ? true : undefined,
  }
}

/** A plain success on its way in. */
export interface PlainRow {
  readonly i: number
  readonly id: string
  readonly c: number
  /** Its state's name, unless that is 'succeeded'. */
  readonly n?: string | undefined
  readonly d?: string | undefined
  readonly r?: number | undefined
}

/** The short form of a run that simply succeeded, or null when there is more to say. */
export function encodePlain(change: Transition, i: number, session: string): PlainRow | null {
  const { to, token } = change
  if (
    to.phase !== 'succeeded' ||
    token === undefined ||
    to.reason !== undefined ||
    to.error !== undefined ||
    change.via?.length ||
    change.create !== undefined ||
    change.command !== undefined ||
    change.by !== undefined ||
    change.queue !== undefined ||
    change.priority !== undefined ||
    change.keep !== undefined ||
    change.params !== undefined ||
    (change.attempt !== undefined && change.attempt !== 'count')
  ) {
    return null
  }
  const claim = parseToken(token)
  if (claim === null || claim.session !== session) return null
  return {
    i,
    id: idToUuid(change.id),
    c: claim.call,
    n: to.name === 'succeeded' ? undefined : to.name,
    d: to.data === undefined ? undefined : packPayload(to.data),
    r: change.ranMs,
  }
}

export function decodeApplyOutcome(
  raw: RawOutcome,
  created: (reply: CreateReply) => readonly CreateOutcome[],
): ApplyOutcome {
  switch (raw.ok) {
    case 'applied':
      return raw.plain === undefined
        ? { ok: 'applied', released: raw.released ?? 0 }
        : { ok: 'applied', released: raw.released ?? 0, created: created({ plain: raw.plain, slow: raw.slow ?? null }) }
    case 'already':
    case 'signalled':
    case 'busy':
    case 'stale':
    case 'missing':
      return { ok: raw.ok }
    case 'refused':
      return { ok: 'refused', phase: phaseOf(raw.phase!), state: raw.state! }
    case 'duplicate':
      return { ok: 'duplicate', holder: uuidToId(raw.holder!) }
    default:
      throw new TypeError(`"${raw.ok}" is no outcome of a transition`)
  }
}

/** In the order of `claimed_v1`. */
export type RawClaimed = readonly [
  id: string,
  queue: number,
  name: number,
  version: number,
  payload: string,
  priority: number,
  attempt: number,
  crashes: number,
  createdAt: number,
  readyAt: number,
  claimedAt: number,
  tags: readonly string[] | null,
  params: Readonly<Record<string, string>> | null,
  recurring: { readonly id: string; readonly at: number } | null,
  /** Only of a claim that was looked at closely. */
  busy?: { readonly key: string; readonly holder: string | null } | null,
]
const noParams: Readonly<Record<string, string>> = Object.freeze({})
const noTags: readonly string[] = Object.freeze([])

export function decodeClaimed(raw: RawClaimed, session: string, call: number, names: Names): ClaimedJob {
  const [
    id,
    queue,
    name,
    version,
    payload,
    priority,
    attempt,
    crashes,
    createdAt,
    readyAt,
    claimedAt,
    tags,
    params,
    recurring,
    shut,
  ] = raw
  return {
    id: uuidToId(id),
    token: claimToken(session, call),
    queue: names.queueOf(queue),
    name: names.nameOf(name),
    version,
    payload: unpackPayload(payload),
    priority,
    attempt,
    crashes,
    params: params ?? noParams,
    tags: tags ?? noTags,
    recurring: recurring ?? undefined,
    createdAt,
    readyAt,
    claimedAt,
    busy: shut ? { key: shut.key, holder: shut.holder === null ? undefined : uuidToId(shut.holder) } : undefined,
  }
}

/** A state with its number, as the history holds it. */
export interface RawRecord extends StoredState {
  readonly n: number
  readonly at: number
  readonly attempt: number
  readonly by: string
  readonly command?: string
}

export function decodeRecord(raw: RawRecord): StateRecord {
  const state: StateInput = {
    name: raw.name,
    phase: phaseOf(raw.phase),
    reason: raw.reason ?? undefined,
    data: raw.data == null ? undefined : unpackPayload(raw.data),
    error: raw.fingerprint == null ? undefined : { fingerprint: raw.fingerprint, preview: raw.preview ?? '' },
  }
  return { ...state, n: raw.n, at: raw.at, attempt: raw.attempt, by: raw.by, command: raw.command ?? undefined }
}

/** An id from outside that no job can have: looked up, it is simply not there. */
export function uuidOrNull(id: string): string | null {
  return isJobId(id) ? idToUuid(id) : null
}
