import type { JobId, JobSummary, JobView, Phase, QueryFacts, StateRecord } from '@q/core/storage'
import { cutToBytes, isFinalPhase } from '@q/core/storage'
import { type Cold, type Rest, decodeCold, decodeRest, phaseOf, readPayload } from './codec.ts'
import type { Connection } from './connection.ts'
import {
  type HistoryRow,
  type ViewRow,
  countChildren,
  dataOfDone,
  dataOfState,
  payloadOf,
  plainStates,
  progressOf,
  rareHistory,
  viewActive,
  viewDone,
  viewRare,
  viewReady,
} from './statements/views.ts'

const previewBytes = 256

/** A row, with what is packed in it laid open. */
export interface Seen {
  readonly row: ViewRow
  readonly phase: Phase
  readonly cold: Cold
  readonly rest: Rest
}

export function open(row: ViewRow): Seen {
  const rest = row.rest === null ? nothing : decodeRest(row.rest)
  return { row, phase: phaseOf(row.phase), cold: decodeCold(row.cold), rest }
}

const nothing: Rest = Object.freeze({})

export function look(db: Connection, id: JobId): Seen | undefined {
  const row = db.get(viewRare, id) ?? db.get(viewDone, id) ?? db.get(viewReady, id) ?? db.get(viewActive, id)
  return row && open(row)
}

export function summaryOf({ row, phase, cold, rest }: Seen): JobSummary {
  const preview = row.preview === null ? undefined : cutToBytes(row.preview, previewBytes)
  return {
    id: row.id,
    queue: row.queue,
    name: row.name,
    version: row.version,
    priority: row.priority,
    state: recordOf(row, phase),
    attempt: row.attempt,
    crashes: row.crashes,
    tags: cold.tags ?? noTags,
    createdAt: row.created,
    ...(preview === undefined ? {} : { preview }),
    ...(row.due_at === null ? {} : { dueAt: row.due_at }),
    ...(rest.expiresAt === undefined ? {} : { expiresAt: rest.expiresAt }),
    ...(row.remove_at === null ? {} : { removeAt: row.remove_at }),
    ...(row.server === null ? {} : { server: row.server }),
    ...(row.waited === null ? {} : { waitedMs: row.waited }),
    ...(row.ran === null ? {} : { ranMs: row.ran }),
  }
}

/** A job as queries see it. */
export function factsOf({ row, phase, cold, rest }: Seen): QueryFacts {
  return {
    id: row.id,
    queue: row.queue,
    name: row.name,
    tags: cold.tags ?? noTags,
    preview: row.preview === null ? undefined : cutToBytes(row.preview, previewBytes),
    state: { name: row.state, phase, at: row.at, error: errorOf(row) },
    attempt: row.attempt,
    createdAt: row.created,
    waitedMs: row.waited ?? undefined,
    ranMs: row.ran ?? undefined,
    lastError: isFinalPhase(phase) ? undefined : (row.last_error ?? undefined),
    recurring: cold.recurring,
    session: row.session ?? undefined,
    parents: rest.parents,
  }
}

export function viewOf(db: Connection, seen: Seen): JobView {
  const { row, phase, cold, rest } = seen
  const data = row.rest === null ? db.get(dataOfDone, row.id)?.data : db.get(dataOfState, row.id, row.n)?.data
  const progress = row.rest === null ? null : (db.get(progressOf, row.id)?.progress ?? null)
  return {
    ...summaryOf(seen),
    state: { ...recordOf(row, phase), ...(data == null ? {} : { data: readPayload(data) }) },
    payload: readPayload(db.get(payloadOf, row.id)!.payload),
    params: rest.params ?? cold.params ?? noParams,
    parents: parentsOf(db, seen),
    children: row.rest === null ? 0 : db.get(countChildren, row.id)!.n,
    ...(progress === null ? {} : { progress: readPayload(progress) }),
    ...(cold.recurring === undefined ? {} : { recurring: cold.recurring }),
    ...(rest.wish === undefined ? {} : { cancelling: { reason: rest.wish.to.reason } }),
  }
}

export function parentsOf(db: Connection, { rest }: Seen): JobView['parents'] {
  return (rest.parents ?? []).map((id) => ({ id, phase: look(db, id)?.phase ?? 'gone' }))
}

/** Oldest first, from the one after number `after`. */
export function historyOf(db: Connection, seen: Seen, after: number): StateRecord[] {
  if (seen.row.rest !== null) return db.all(rareHistory, seen.row.id, after).map(storedRecord)
  return plainHistory(db, seen).filter(({ n }) => n > after)
}

/** The states of a plain job are in the rows it went through. */
function plainHistory(db: Connection, { row, phase }: Seen): StateRecord[] {
  const { state, by, at, claim_state, claimed, server } = db.get(plainStates, row.id)!
  const first: StateRecord = { name: state, phase: 'ready', n: 1, at, attempt: 0, by }
  const present: StateRecord = recordOf(row, phase)
  if (phase === 'ready') return [first]
  if (phase === 'active') return [first, present]
  const data = db.get(dataOfDone, row.id)?.data
  const run: StateRecord = { name: claim_state!, phase: 'active', n: 2, at: claimed!, attempt: 1, by: server! }
  return [first, run, data == null ? present : { ...present, data: readPayload(data) }]
}

function storedRecord(row: HistoryRow): StateRecord {
  return { ...recordOf(row, phaseOf(row.phase)), ...(row.data === null ? {} : { data: readPayload(row.data) }) }
}

function recordOf(row: Omit<HistoryRow, 'data' | 'phase'>, phase: Phase): Omit<StateRecord, 'data'> {
  const error = errorOf(row)
  return {
    name: row.state,
    phase,
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...(error === undefined ? {} : { error }),
    n: row.n,
    at: row.at,
    attempt: row.attempt,
    by: row.by,
    ...(row.command === null ? {} : { command: row.command }),
  }
}

function errorOf(row: Pick<ViewRow, 'error' | 'error_preview'>): StateRecord['error'] {
  return row.error === null ? undefined : { fingerprint: row.error, preview: row.error_preview ?? '' }
}

const noTags: readonly string[] = Object.freeze([])
const noParams: Readonly<Record<string, string>> = Object.freeze({})
