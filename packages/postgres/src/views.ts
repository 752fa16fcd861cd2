import {
  type JobSummary,
  type JobView,
  type QueryFacts,
  type QueueConfig,
  isFinalPhase,
  previewOf,
} from '@q/core/storage'
import { decodeRecord } from './codec.ts'
import { uuidToId } from './id.ts'
import type { Names } from './names.ts'
import { unpackPayload } from './payload.ts'
import { phaseOf } from './phases.ts'
import type { QueueRow, SummaryRow, ViewRow } from './statements/monitor.ts'

export function decodeSummary(row: SummaryRow, names: Names): JobSummary {
  const { data: _data, ...state } = decodeRecord(row.record)
  return {
    id: uuidToId(row.id),
    queue: names.queueOf(row.queue),
    name: names.nameOf(row.name),
    version: row.version,
    priority: row.priority,
    state,
    attempt: row.attempt,
    crashes: row.crashes,
    preview: row.preview ?? (row.start === null ? undefined : previewOf(unpackPayload(row.start))),
    tags: row.tags ?? [],
    createdAt: Number(row.created_at),
    dueAt: instant(row.due_at),
    expiresAt: instant(row.expires_at),
    removeAt: instant(row.remove_at),
    server: row.server ?? undefined,
    waitedMs: row.waited ?? undefined,
    ranMs: row.ran ?? undefined,
  }
}

export function decodeView(row: ViewRow, names: Names): JobView {
  return {
    ...decodeSummary(row, names),
    state: decodeRecord(row.record),
    payload: unpackPayload(row.payload),
    params: row.params ?? {},
    progress: row.progress === null ? undefined : unpackPayload(row.progress),
    recurring: row.recurring ?? undefined,
    parents: decodeParents(row.parents),
    children: row.children,
    cancelling: row.wished === null ? undefined : { reason: row.wished.reason },
  }
}

export function decodeParents(
  parents: readonly { readonly id: string; readonly phase: number | null }[] | null,
): JobView['parents'] {
  return (parents ?? []).map(({ id, phase }) => ({ id: uuidToId(id), phase: phase === null ? 'gone' : phaseOf(phase) }))
}

/** What a query asks about that a summary does not say. */
export function factsOf(row: SummaryRow, summary: JobSummary, parent: string | undefined): QueryFacts {
  return {
    ...summary,
    lastError: isFinalPhase(summary.state.phase) ? undefined : (row.error ?? undefined),
    recurring: row.recurring ?? undefined,
    session: row.session ?? undefined,
    // Candidates were read as children of this very job.
    parents: parent === undefined ? undefined : [parent],
  }
}

export function decodeQueue({ paused, max_active: maxActive, rate_max: max, rate_per: per }: QueueRow): QueueConfig {
  return {
    ...(paused === null ? {} : { paused }),
    ...(maxActive === null ? {} : { maxActive }),
    ...(max === null || per === null ? {} : { rate: { max, per } }),
  }
}

export function instant(stored: string | number | null): number | undefined {
  return stored === null ? undefined : Number(stored)
}
