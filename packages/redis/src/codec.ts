import { createHash } from 'node:crypto'
import {
  cutToBytes,
  defaultKeepMs,
  defaultPriority,
  isFinalPhase,
  parseToken,
  phases,
  previewOf,
} from '@q/core/storage'
import { unpack } from './msgpack.ts'
import type {
  Claim,
  ClaimToken,
  ClaimedJob,
  Edge,
  FinalPhase,
  JobSummary,
  JobView,
  NewJob,
  Note,
  Payload,
  Phase,
  SessionId,
  StateInput,
  StateRecord,
  Transition,
} from '@q/core/storage'
import type { Packable, Unpacked } from './msgpack.ts'

/**
 * How a job is written: first what stays as it is while nothing special happens (names, place, a packed map of what most
 * jobs do not have, the payload unless it is long and has a key of its own), then its states, oldest first. A state ends
 * with how long it is, so the present one is found from the end, and the next one is written behind it.
 */
export const recordHead = '>I3HHHHI4'
export const recordRest = '>I6I6I4'
/** At, attempt, number, phase, what it says of the run, length of the state; then the state, the run, and the length of all. */
export const recordState = '>I6HI3BBI4'

/**
 * What a state says of the run it belongs to: nothing; who began it, ready since the state before; how it ended that began
 * with the state before; or all there is to say. Of a run that has begun it is known whether it was claimed ahead.
 */
export const recordRuns = { none: 0, begun: 1, begunAhead: 2, ended: 3, whole: 4, wholeAhead: 5 } as const
export const runBegun = '>c8I5'
export const runEnded = '>I4c8I5'
export const runWhole = '>I4c8I5c8I5I6I6'

/** Characters of a job's id, all of one byte. */
export const idLength = 26
export const headLength = 15
const restLength = 16
export const stateLength = 17
export const runLengths = [0, 13, 13, 17, 42, 42] as const

/** What is known of a job beside its fields; not all of it means something on our side. */
export const recordFlags = {
  binary: 1,
  extra: 8,
  long: 16,
  handed: 32,
  waiting: 64,
  children: 128,
  prefetched: 256,
  noted: 512,
  stub: 1024,
  frail: 2048,
  /** Its packed map holds only what claims and ends do not ask for. */
  quiet: 4096,
} as const
/** How long a run took that has not ended. */
export const never = 0xffff_ffff

/** Bytes of a payload that stands in its job's record; a longer one has a key of its own, so that lists need not read it. */
export const longestInline = 2048

/** State names that take one byte. Append only. */
export const stateNames: readonly string[] = [
  'enqueued',
  'deleted',
  'failed',
  'processing',
  'succeeded',
  'scheduled',
  'awaiting',
  'parked',
]

const bits = { reason: 1, data: 2, binary: 4, error: 8, by: 16, command: 32 } as const

export function phaseNumber(phase: Phase): number {
  return phases.indexOf(phase) + 1
}

export function phaseOf(number: number): Phase {
  const phase = phases[number - 1]
  if (phase === undefined) throw new Error(`a record names phase ${number}, which this version does not know`)
  return phase
}

const fingerprints = new Map<SessionId, string>()

/** A session in eight characters: what records and keys say instead of its id. Those in use are few, and always the same. */
export function fingerprintOf(session: SessionId): string {
  let fingerprint = fingerprints.get(session)
  if (fingerprint === undefined) {
    fingerprint = createHash('sha1').update(session).digest('base64url').slice(0, 8)
    if (fingerprints.size >= 1_000) fingerprints.clear()
    fingerprints.set(session, fingerprint)
  }
  return fingerprint
}

/** States that are nothing but a name, which is what most states are. */
const bare = new Map<string, Buffer>()

/** A state; its author and command are added by the scripts, which know both. */
export function encodeState(state: StateInput, by?: string): Buffer {
  const { name, phase, reason, data, error } = state
  if (by || reason !== undefined || data !== undefined || error || !stateNames.includes(name)) {
    return encodeWhole(state, by)
  }
  const key = phase + name
  let bytes = bare.get(key)
  if (bytes === undefined) bare.set(key, (bytes = encodeWhole(state)))
  return bytes
}

function encodeWhole(state: StateInput, by?: string): Buffer {
  const code = stateNames.indexOf(state.name) + 1
  const parts: Buffer[] = []
  let has = 0
  if (code === 0) parts.push(shortText(state.name))
  if (state.reason !== undefined) {
    has |= bits.reason
    parts.push(shortText(state.reason))
  }
  if (state.data !== undefined) {
    has |= bits.data | (typeof state.data === 'string' ? 0 : bits.binary)
    const data = Buffer.from(state.data as string)
    const size = Buffer.allocUnsafe(4)
    size.writeUInt32BE(data.length)
    parts.push(size, data)
  }
  if (state.error) {
    has |= bits.error
    parts.push(shortText(state.error.fingerprint), shortText(state.error.preview))
  }
  if (by) {
    has |= bits.by
    parts.push(shortText(by))
  }
  const head = Buffer.from([phaseNumber(state.phase), has, code])
  return parts.length === 0 ? head : Buffer.concat([head, ...parts])
}

function shortText(text: string): Buffer {
  const cut = cutToBytes(text, 0xffff)
  const bytes = Buffer.allocUnsafe(2 + Buffer.byteLength(cut))
  bytes.writeUInt16BE(bytes.length - 2)
  bytes.write(cut, 2)
  return bytes
}

export interface DecodedState {
  readonly state: StateInput
  readonly by: string
  readonly command?: string | undefined
}

export function decodeState(bytes: Buffer): DecodedState {
  const [phase, has, code] = [bytes[0]!, bytes[1]!, bytes[2]!]
  let at = 3
  const text = (): string => {
    const end = at + 2 + bytes.readUInt16BE(at)
    const value = bytes.toString('utf8', at + 2, end)
    at = end
    return value
  }
  const name = code === 0 ? text() : stateNames[code - 1]!
  const reason = has & bits.reason ? text() : undefined
  let data: Payload | undefined
  if (has & bits.data) {
    const size = bytes.readUInt32BE(at)
    data = payloadOf(bytes.subarray(at + 4, at + 4 + size), (has & bits.binary) !== 0)
    at += 4 + size
  }
  const error = has & bits.error ? { fingerprint: text(), preview: text() } : undefined
  const by = has & bits.by ? text() : ''
  const command = has & bits.command ? text() : undefined
  return {
    state: {
      name,
      phase: phaseOf(phase),
      ...(reason === undefined ? {} : { reason }),
      ...(data === undefined ? {} : { data }),
      ...(error === undefined ? {} : { error }),
    },
    by,
    ...(command === undefined ? {} : { command }),
  }
}

export function payloadOf(bytes: Buffer, isBinary: boolean): Payload {
  return isBinary ? new Uint8Array(bytes) : bytes.toString('utf8')
}

// --- what scripts are given

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

/** A payload with its kind in front, where there is no flag for it. */
export function kinded(payload: Payload): Buffer {
  return typeof payload === 'string'
    ? Buffer.concat([Buffer.from('t'), Buffer.from(payload)])
    : Buffer.concat([Buffer.from('b'), payload])
}

export function unkinded(bytes: Buffer): Payload {
  return payloadOf(bytes.subarray(1), bytes[0] === 0x62)
}

// --- what scripts and reads give back

interface Run {
  /** Of the session that claimed last. */
  readonly fp: string
  readonly readyAt: number
  readonly claimedAt: number
  readonly ranMs: number | undefined
}

export interface JobRecord {
  readonly id: string
  readonly phase: Phase
  readonly isStub: boolean
  readonly isNoted: boolean
  readonly isLong: boolean
  readonly isBinary: boolean
  readonly priority: number
  readonly attempt: number
  readonly crashes: number
  readonly n: number
  readonly at: number
  readonly seq: number
  readonly createdAt: number
  readonly queue: string
  readonly name: string
  readonly version: number
  readonly run: Run | undefined
  /** All that are kept, oldest first, the present one last. */
  readonly states: Buffer
  readonly extra: Map<string, Unpacked>
  readonly payload: Buffer
}

const noExtra = new Map<string, Unpacked>()

/** The head of the record that was read last, and what it says: records of one call mostly say the same. */
let lastHead: { readonly bytes: Buffer; readonly queue: string; readonly name: string } = {
  bytes: Buffer.alloc(0),
  queue: '',
  name: '',
}

function namesOf(bytes: Buffer, nameAt: number, end: number): { readonly queue: string; readonly name: string } {
  // The lengths of both names stand in the head as well.
  const isLast = lastHead.bytes.length === end && bytes.compare(lastHead.bytes, 0, end, 0, end) === 0
  if (!isLast) {
    lastHead = {
      bytes: Buffer.from(bytes.subarray(0, end)),
      queue: bytes.toString('utf8', headLength, nameAt),
      name: bytes.toString('utf8', nameAt, end),
    }
  }
  return lastHead
}

export function readRecord(id: string, bytes: Buffer): JobRecord {
  const flags = bytes.readUIntBE(0, 3)
  const nameAt = headLength + bytes.readUInt16BE(5)
  const rest = nameAt + bytes.readUInt16BE(7)
  let at = rest + restLength
  let extra = noExtra
  if (flags & recordFlags.extra) {
    const size = bytes.readUInt32BE(at)
    extra = mapOf(unpack(bytes.subarray(at + 4, at + 4 + size)))
    at += 4 + size
  }
  const statesAt = at + bytes.readUInt32BE(rest + 12)
  const states = bytes.subarray(statesAt)
  const present = lastState(states, states.length)
  const names = namesOf(bytes, nameAt, rest)
  return {
    id,
    phase: phaseOf(present.phase),
    isStub: (flags & recordFlags.stub) !== 0,
    isNoted: (flags & recordFlags.noted) !== 0,
    isLong: (flags & recordFlags.long) !== 0,
    isBinary: (flags & recordFlags.binary) !== 0,
    priority: bytes.readUInt16BE(3),
    attempt: present.attempt,
    crashes: bytes.readUInt16BE(9),
    n: present.n,
    at: present.at,
    seq: bytes.readUIntBE(rest, 6),
    createdAt: bytes.readUIntBE(rest + 6, 6),
    queue: names.queue,
    name: names.name,
    version: bytes.readUInt32BE(11),
    run: runOf(states, present),
    states,
    extra,
    payload: bytes.subarray(at, statesAt),
  }
}

/** A state and where it stands: from its head to the length of all. */
interface WrittenState {
  readonly at: number
  readonly attempt: number
  readonly n: number
  readonly phase: number
  readonly kind: number
  readonly from: number
  readonly runAt: number
  readonly end: number
}

function stateAt(states: Buffer, from: number): WrittenState {
  const kind = states[from + 12]!
  const runAt = from + stateLength + states.readUInt32BE(from + 13)
  return {
    at: states.readUIntBE(from, 6),
    attempt: states.readUInt16BE(from + 6),
    n: states.readUIntBE(from + 8, 3),
    phase: states[from + 11]!,
    kind,
    from,
    runAt,
    end: runAt + runLengths[kind]! + 4,
  }
}

/** The state that ends where another begins, or where all end. */
function lastState(states: Buffer, end: number): WrittenState {
  return stateAt(states, end - states.readUInt32BE(end - 4))
}

function runOf(states: Buffer, { kind, from, runAt, at }: WrittenState): Run | undefined {
  switch (kind) {
    case recordRuns.begun:
    case recordRuns.begunAhead: {
      const fp = states.toString('latin1', runAt, runAt + 8)
      return { fp, readyAt: lastState(states, from).at, claimedAt: at, ranMs: undefined }
    }
    case recordRuns.ended: {
      const begun = runOf(states, lastState(states, from))
      return begun && { ...begun, ranMs: states.readUInt32BE(runAt) }
    }
    case recordRuns.whole:
    case recordRuns.wholeAhead: {
      const ran = states.readUInt32BE(runAt)
      return {
        fp: states.toString('latin1', runAt + 17, runAt + 25),
        readyAt: states.readUIntBE(runAt + 30, 6),
        claimedAt: states.readUIntBE(runAt + 36, 6),
        ranMs: ran === never ? undefined : ran,
      }
    }
    default:
      return undefined
  }
}

/** An empty Lua table is packed as a list, whatever it was. */
export function mapOf(value: Unpacked | undefined): Map<string, Unpacked> {
  return value instanceof Map ? value : new Map()
}

export function textOf(value: Unpacked | undefined): string {
  return value instanceof Buffer ? value.toString() : String(value)
}

export function numberOf(value: Unpacked | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined
}

export function textsOf(value: Unpacked | undefined): string[] {
  return Array.isArray(value) ? value.map(textOf) : []
}

export function listOf(value: Unpacked | undefined): Unpacked[] {
  return Array.isArray(value) ? value : []
}

function paramsOf(record: JobRecord): Record<string, string> {
  const params: Record<string, string> = {}
  for (const [key, value] of mapOf(record.extra.get('params'))) params[key] = textOf(value)
  return params
}

const noParams: Readonly<Record<string, string>> = Object.freeze({})
const noTags: readonly string[] = Object.freeze([])

export function claimedJobOf(
  record: JobRecord,
  payload: Buffer,
  token: ClaimToken,
  busy: Unpacked | undefined,
): ClaimedJob {
  const run = record.run!
  const hasExtra = record.extra !== noExtra
  const recurring = mapOf(record.extra.get('rec'))
  return {
    id: record.id,
    token,
    queue: record.queue,
    name: record.name,
    version: record.version,
    payload: payloadOf(payload, record.isBinary),
    priority: record.priority,
    attempt: record.attempt,
    crashes: record.crashes,
    params: hasExtra ? paramsOf(record) : noParams,
    tags: hasExtra ? textsOf(record.extra.get('tags')) : noTags,
    ...(recurring.size > 0
      ? { recurring: { id: textOf(recurring.get('id')), at: numberOf(recurring.get('at'))! } }
      : {}),
    createdAt: record.createdAt,
    readyAt: run.readyAt,
    claimedAt: run.claimedAt,
    ...(Array.isArray(busy)
      ? { busy: { key: textOf(busy[0]), ...(busy[1] instanceof Buffer ? { holder: busy[1].toString() } : {}) } }
      : {}),
  }
}

/** All states of a job that are kept, oldest first. */
export function historyOf({ states }: JobRecord): StateRecord[] {
  const records: StateRecord[] = []
  for (let from = 0; from < states.length;) {
    const written = stateAt(states, from)
    records.push(stateRecordOf(states, written))
    from = written.end
  }
  return records
}

export function presentOf({ states }: JobRecord): StateRecord {
  return stateRecordOf(states, lastState(states, states.length))
}

function stateRecordOf(states: Buffer, { n, at, attempt, from, runAt }: WrittenState): StateRecord {
  const { state, by, command } = decodeState(states.subarray(from + stateLength, runAt))
  return { ...state, n, at, attempt, by, ...(command === undefined ? {} : { command }) }
}

export function summaryOf(record: JobRecord): JobSummary {
  const { data: _, ...state } = presentOf(record)
  const preview = previewOfRecord(record)
  return {
    id: record.id,
    queue: record.queue,
    name: record.name,
    version: record.version,
    priority: record.priority,
    state,
    attempt: record.attempt,
    crashes: record.crashes,
    ...(preview === undefined ? {} : { preview }),
    tags: textsOf(record.extra.get('tags')),
    createdAt: record.createdAt,
    ...instants(record),
    ...(record.phase === 'active' ? { server: state.by } : {}),
    ...(record.run ? { waitedMs: record.run.claimedAt - record.run.readyAt } : {}),
    ...(record.run?.ranMs === undefined ? {} : { ranMs: record.run.ranMs }),
  }
}

function instants(record: JobRecord): Pick<JobSummary, 'dueAt' | 'expiresAt' | 'removeAt'> {
  const dueAt = record.phase === 'scheduled' ? numberOf(record.extra.get('due')) : undefined
  const expiresAt = record.attempt === 0 && !isFinalPhase(record.phase) ? numberOf(record.extra.get('exp')) : undefined
  const removeAt = removalOf(record)
  return {
    ...(dueAt === undefined ? {} : { dueAt }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(removeAt === undefined ? {} : { removeAt }),
  }
}

function removalOf(record: JobRecord): number | undefined {
  if (!isFinalPhase(record.phase)) return undefined
  const own = record.extra.get('rm')
  if (own !== undefined) return numberOf(own)
  const keep = defaultKeepMs[record.phase]
  return keep === null ? undefined : record.at + keep
}

function previewOfRecord(record: JobRecord): string | undefined {
  const own = record.extra.get('prev')
  if (own !== undefined) return textOf(own)
  if (record.isBinary) return undefined
  // Cut first: a record's payload may be bytes that end inside a character.
  return cutToBytes(record.payload.toString('utf8', 0, 260), 256)
}

export function viewOf(
  record: JobRecord,
  more: {
    readonly payload: Payload
    readonly progress: Payload | undefined
    readonly parents: readonly { readonly id: string; readonly phase: Phase | 'gone' }[]
    readonly children: number
  },
): JobView {
  const recurring = mapOf(record.extra.get('rec'))
  const wish = record.extra.get('wish')
  const reason = wish === undefined ? undefined : decodeState(mapOf(wish).get('blob') as Buffer).state.reason
  return {
    ...summaryOf(record),
    state: presentOf(record),
    payload: more.payload,
    params: paramsOf(record),
    ...(more.progress === undefined ? {} : { progress: more.progress }),
    ...(recurring.size > 0
      ? { recurring: { id: textOf(recurring.get('id')), at: numberOf(recurring.get('at'))! } }
      : {}),
    parents: more.parents,
    children: more.children,
    ...(wish === undefined ? {} : { cancelling: reason === undefined ? {} : { reason } }),
  }
}
