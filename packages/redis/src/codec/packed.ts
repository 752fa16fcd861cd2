import { defaultPriority, parseToken, previewOf } from '@q/core/storage'
import { fingerprintOf, idLength, longestInline, never, phaseNumber, recordFlags } from './layout.ts'
import { encodeState, kinded } from './state.ts'
import type { Claim, ClaimToken, Edge, FinalPhase, NewJob, Note, Payload, SessionId, Transition } from '@q/core/storage'
import type { Packable } from '../msgpack.ts'

/** What scripts are given: see the parts that read it for the order of what stands in a list. */
export type PackedJob = readonly Packable[]
/** Plain jobs of one queue, name, priority, author and state: what differs, and what they share. */
export type PackedJobs = readonly [items: readonly Payload[], ...shared: Packable[]]
export type PackedTransition = readonly Packable[]
/** Plain ends that stand side by side: what each says, by kind, and their states, or the one they share. */
export type PackedEnds = readonly [
  n: number,
  ids: Buffer,
  calls: Buffer,
  ran: Buffer,
  buckets: Buffer,
  states: Buffer[],
]
export type PackedClaim = { readonly [key: string]: Packable }
export type PackedNote = { readonly [key: string]: Packable }

/** `circle`: the jobs of its list that it waits for and that wait for it. */
export function packJob(job: NewJob, circle?: readonly string[]): PackedJob {
  const packed: Packable[] = [
    job.id,
    job.queue,
    job.name,
    job.version,
    job.priority ?? defaultPriority,
    typeof job.payload === 'string' ? 0 : recordFlags.binary,
    encodeState(job.state, job.by),
    job.payload,
    optionsOf(job),
  ]
  if (circle) packed.push(circle)
  return packed
}

/** Ready at once, and nothing but its payload, which stands in its record. */
export function isPlainJob(job: NewJob): boolean {
  return (
    job.state.phase === 'ready' && job.state.data === undefined && job.state.error === undefined && !hasOptions(job)
  )
}

/** Whether two plain jobs may be packed together. */
export function isAlike(a: NewJob, b: NewJob): boolean {
  return (
    a.queue === b.queue &&
    a.name === b.name &&
    a.version === b.version &&
    a.priority === b.priority &&
    a.by === b.by &&
    a.state.name === b.state.name &&
    a.state.reason === b.state.reason &&
    typeof a.payload === typeof b.payload
  )
}

/** Plain jobs that are all alike: id and payload of each, one after another. */
export function packJobs(jobs: readonly NewJob[]): PackedJobs {
  const { queue, name, version, priority = defaultPriority, payload, state, by } = jobs[0]!
  const items: Payload[] = []
  for (const job of jobs) items.push(job.id, job.payload)
  const flags = typeof payload === 'string' ? 0 : recordFlags.binary
  return [items, queue, name, version, priority, flags, encodeState(state, by)]
}

/** False for a plain job: then the script has nothing to look into. */
function optionsOf(job: NewJob): Packable {
  if (!hasOptions(job)) return false
  const { after, unique, gates } = job
  return {
    x: extraOf(job),
    delay: job.delay,
    at: job.at,
    exp: job.expires,
    after: after && edgesOf(after),
    thenState: job.then && encodeState(job.then, job.by),
    u: unique && {
      key: unique.key,
      claimed: unique.until === 'claimed' || undefined,
      ttl: unique.ttl,
      replace: unique.conflict === 'replace' || undefined,
    },
    gates: gates?.length
      ? [...gates]
          .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
          .map((gate) => ({
            key: gate.key,
            limit: gate.limit,
            max: gate.rate?.max,
            per: gate.rate?.per,
            tell: gate.busy === 'tell' || undefined,
          }))
      : undefined,
  }
}

function hasOptions(job: NewJob): boolean {
  return (
    job.delay !== undefined ||
    job.at !== undefined ||
    job.expires !== undefined ||
    job.after !== undefined ||
    job.unique !== undefined ||
    job.preview !== undefined ||
    job.keep !== undefined ||
    job.crashLimit !== undefined ||
    job.recurring !== undefined ||
    (job.gates !== undefined && job.gates.length > 0) ||
    (job.tags !== undefined && job.tags.length > 0) ||
    (job.params !== undefined && Object.keys(job.params).length > 0) ||
    isLong(job.payload)
  )
}

/** Too long for its job's record. */
function isLong(payload: Payload): boolean {
  if (typeof payload !== 'string') return payload.byteLength > longestInline
  return payload.length * 3 > longestInline && Buffer.byteLength(payload) > longestInline
}

/** What is stored with the job as it is. */
function extraOf(job: NewJob): { [key: string]: Packable } | undefined {
  const extra = {
    prev: job.preview ?? (typeof job.payload === 'string' && isLong(job.payload) ? previewOf(job.payload) : undefined),
    params: job.params && Object.keys(job.params).length > 0 ? job.params : undefined,
    tags: job.tags?.length ? job.tags : undefined,
    keep: job.keep && mapValues(job.keep, (keep) => (keep === null ? false : keep)),
    crash: job.crashLimit,
    rec: job.recurring && { id: job.recurring.id, at: job.recurring.at },
  }
  return Object.values(extra).some((value) => value !== undefined) ? extra : undefined
}

function mapValues<T>(map: { readonly [key: string]: T }, change: (value: T) => Packable): Packable {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]))
}

/** One edge for each parent: several to the same one are met by what meets them all. */
function edgesOf(after: readonly Edge[]): Packable {
  const edges = new Map<string, [mask: number, missing: boolean]>()
  for (const { parent, on, missing } of after) {
    const [mask, isMet] = edges.get(parent) ?? [7, true]
    edges.set(parent, [mask & edgeMask(on), isMet && missing === 'met'])
  }
  return [...edges].map(([parent, edge]) => [parent, ...edge])
}

function edgeMask(on: readonly FinalPhase[]): number {
  return on.reduce((mask, phase) => mask | (phase === 'succeeded' ? 1 : phase === 'failed' ? 2 : 4), 0)
}

/** The end of a run that says nothing but that it succeeded, and how long it took. */
export interface PlainEnd {
  readonly id: string
  /** The call that claimed it. */
  readonly call: number
  readonly ranMs: number
  readonly runBucket: number
  readonly state: Buffer
}

/** Null for any other transition. `caller`: the session whose call it is part of. */
export function plainEndOf(change: Transition, runBucket: number, caller: SessionId | undefined): PlainEnd | null {
  const { id, to, ranMs } = change
  if (ranMs === undefined || to.phase !== 'succeeded' || to.error !== undefined || !isPlain(change)) return null
  const token = tokenOf(change.token!)
  if (token === null || token.session !== caller || token.call >= 2 ** 40 || !hasIdLength(id)) return null
  return { id, call: token.call, ranMs, runBucket, state: encodeState(to) }
}

/** What nearly every call is made of, in as few pieces as there are kinds: see `endPlain` among the scripts. */
export function packEnds(ends: readonly PlainEnd[]): PackedEnds {
  const n = ends.length
  const columns = Buffer.allocUnsafe(n * (idLength + 10))
  const [callsAt, ranAt, bucketsAt] = [n * idLength, n * (idLength + 5), n * (idLength + 9)]
  const states: Buffer[] = []
  columns.write(ends.map(({ id }) => id).join(''), 'latin1')
  for (let i = 0; i < n; i++) {
    const { call, ranMs, runBucket, state } = ends[i]!
    columns.writeUIntBE(call, callsAt + i * 5, 5)
    columns.writeUInt32BE(Math.min(Math.max(0, Math.round(ranMs)), never - 1), ranAt + i * 4)
    columns[bucketsAt + i] = runBucket
    states.push(state)
  }
  return [
    n,
    columns.subarray(0, callsAt),
    columns.subarray(callsAt, ranAt),
    columns.subarray(ranAt, bucketsAt),
    columns.subarray(bucketsAt),
    states.every((state) => state === states[0]) ? states.slice(0, 1) : states,
  ]
}

/** A transition of a claimed job that changes nothing but its state. */
function isPlain(change: Transition): boolean {
  return (
    change.token !== undefined &&
    change.via === undefined &&
    change.create === undefined &&
    change.delay === undefined &&
    change.at === undefined &&
    change.queue === undefined &&
    change.priority === undefined &&
    change.params === undefined &&
    change.keep === undefined &&
    change.parkedFor === undefined &&
    change.by === undefined &&
    change.command === undefined &&
    (change.attempt === undefined || change.attempt === 'count')
  )
}

export function packTransition(
  change: Transition,
  runBucket: number | undefined,
  create: readonly (PackedJob | false)[] | undefined,
): PackedTransition {
  const token = change.token === undefined ? null : tokenOf(change.token)
  return [
    change.id,
    change.token === undefined ? false : (token?.fp ?? noClaim),
    token?.call ?? 0,
    encodeState(change.to),
    change.ranMs === undefined ? false : Math.max(0, Math.round(change.ranMs)),
    runBucket ?? 0,
    isPlain(change)
      ? false
      : {
          from: change.from?.map((from) => (typeof from === 'string' ? phaseNumber(from) : from.state)),
          command: change.command,
          by: change.by,
          via: change.via?.map((state) => encodeState(state)),
          delay: change.delay,
          at: change.at,
          queue: change.queue,
          priority: change.priority,
          attempt: change.attempt,
          parkedFor: change.parkedFor,
          force: change.force,
          grace: change.grace,
          params: change.params && mapValues(change.params, (value) => (value === null ? false : value)),
          keep: change.keep === null ? false : change.keep,
          create,
        },
  ]
}

function hasIdLength(id: string): boolean {
  return id.length === idLength && Buffer.byteLength(id) === idLength
}

/** What no session is called: for a token that no claim ever made. */
export const noClaim = '????????'

/** The claim a token names. */
export function tokenOf(
  token: ClaimToken,
): { readonly session: SessionId; readonly fp: string; readonly call: number } | null {
  const parsed = parseToken(token)
  if (!parsed) return null
  return { session: parsed.session, fp: fingerprintOf(parsed.session), call: parsed.call }
}

export function packClaim(claim: Claim): PackedClaim {
  return {
    max: claim.max,
    extra: claim.extra,
    queues: claim.queues.map((queue) => (queue.max === undefined ? [queue.name] : [queue.name, queue.max])),
    state: encodeState(claim.state),
    adopt: claim.adopt,
  }
}

export function packNote(note: Note): PackedNote {
  const token = tokenOf(note.token)
  return {
    id: note.id,
    fp: token?.fp ?? noClaim,
    call: token?.call ?? 0,
    progress: note.progress === undefined ? undefined : kinded(note.progress),
    from: note.log?.from,
    lines: note.log?.lines.map(kinded),
  }
}
