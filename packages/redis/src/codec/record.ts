import { cutToBytes, defaultKeepMs, isFinalPhase } from '@q/core/storage'
import { mapOf, numberOf, textOf, textsOf } from './answer.ts'
import { headLength, never, phaseOf, recordFlags, recordRuns, restLength, runLengths, stateLength } from './layout.ts'
import { decodeState, payloadOf } from './state.ts'
import { unpack } from '../msgpack.ts'
import type { ClaimedJob, ClaimToken, JobSummary, JobView, Payload, Phase, StateRecord } from '@q/core/storage'
import type { Unpacked } from '../msgpack.ts'

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
