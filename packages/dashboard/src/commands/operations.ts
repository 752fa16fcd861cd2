import type { BaseClient } from '@q/core'
import type { JobQuery } from '@q/core/storage'
import { Problem } from '../problem.ts'
import type { Reader } from '../reads/reader.ts'
import type { Visit } from '../visit.ts'
import type { AuditLog } from './audit.ts'
import { jobCommand, signature } from './job-command.ts'

export type BulkAction = 'retry' | 'cancel' | 'delete'

/** One command for many jobs: watched, and stopped, while it goes on. */
export interface Operation {
  readonly id: string
  readonly action: BulkAction
  /** The search it goes by; empty for a selection. */
  readonly search: string
  readonly status: 'running' | 'done' | 'aborted' | 'failed'
  /** As counted before it began; it may be a lower bound. */
  readonly total: { readonly value: number; readonly exact: boolean }
  readonly matched: number
  readonly changed: number
  readonly skipped: Readonly<Record<string, number>>
  readonly startedAt: Date
  readonly endedAt: Date | undefined
  readonly by: string | undefined
  readonly reason: string | undefined
  readonly error: string | undefined
}

export interface BulkTarget {
  readonly search: string
  /** A selection, or everything that matches. */
  readonly ids?: readonly string[] | undefined
  readonly query: JobQuery
  /** What was seen: nothing that entered its state later is touched. */
  readonly asOf: number
}

export interface Operations {
  list(): readonly Operation[]
  get(id: string): Operation | null
  count(action: BulkAction, target: BulkTarget): Promise<Operation['total']>
  start(
    visit: Visit,
    action: BulkAction,
    target: BulkTarget,
    options: { readonly expected?: number | undefined; readonly reason?: string | undefined },
  ): Promise<Operation>
  abort(id: string): boolean
  close(): void
}

const mostKept = 50
const mostRunning = 4
const countedUpTo = 1_000_000

/** What an action leaves alone goes out of its query, so that a count tells what will be touched. */
const phasesFor: Readonly<Record<BulkAction, NonNullable<JobQuery['phase']>>> = {
  retry: ['failed', 'scheduled', 'deleted', 'parked'],
  cancel: ['awaiting', 'scheduled', 'ready', 'active', 'parked'],
  delete: ['awaiting', 'scheduled', 'ready', 'parked', 'failed', 'succeeded'],
}

/** Operations live in this process: they end with it, and what they did by then stays done. */
export function createOperations(client: BaseClient, reader: Reader, audit: AuditLog): Operations {
  const kept = new Map<string, { operation: Operation; readonly stop: AbortController }>()

  const update = (id: string, changes: Partial<Operation>): void => {
    const entry = kept.get(id)
    if (entry !== undefined) entry.operation = { ...entry.operation, ...changes }
  }

  async function count(action: BulkAction, { ids, query, asOf }: BulkTarget): Promise<Operation['total']> {
    if (ids !== undefined) return { value: ids.length, exact: true }
    const phase = phasesOf(action, query)
    if (phase.length === 0) return { value: 0, exact: true }
    return client.monitor.count(
      { ...query, phase, enteredBefore: Math.min(query.enteredBefore ?? Infinity, asOf + 1) },
      countedUpTo,
    )
  }

  return {
    list: () => [...kept.values()].map(({ operation }) => operation).reverse(),
    get: (id) => kept.get(id)?.operation ?? null,
    count,
    async start(visit, action, target, { expected, reason }) {
      const running = [...kept.values()].filter(({ operation }) => operation.status === 'running').length
      if (running >= mostRunning)
        throw new Problem(
          429,
          'too-many-operations',
          `${running} operations are running. Wait for one to end, or abort it.`,
        )
      const total = await count(action, target)
      if (expected !== undefined && total.value > expected) {
        throw new Problem(
          409,
          'count-changed',
          `${total.value} jobs match now, not the ${expected} that were shown. Look again before you go on.`,
          { count: total.value },
        )
      }
      const id = crypto.randomUUID()
      const { by, reason: why } = signature(visit, reason)
      const operation: Operation = {
        id,
        action,
        search: target.search,
        status: 'running',
        total,
        matched: 0,
        changed: 0,
        skipped: {},
        startedAt: new Date(),
        endedAt: undefined,
        by: visit.viewer.user,
        reason: why,
        error: undefined,
      }
      const stop = new AbortController()
      kept.set(id, { operation, stop })
      forgetOldest(kept)
      const onProgress = (soFar: Pick<Operation, 'matched' | 'changed' | 'skipped'>): void => {
        update(id, { matched: soFar.matched, changed: soFar.changed, skipped: soFar.skipped })
        reader.forget()
      }
      const work =
        target.ids === undefined
          ? runQuery(client, action, target, { by, reason: why, signal: stop.signal, onProgress })
          : runList(visit, action, target.ids, { reason: why, signal: stop.signal, onProgress })
      void work
        .then(() => update(id, { status: 'done', endedAt: new Date() }))
        .catch((error: unknown) => {
          const status = stop.signal.aborted ? 'aborted' : 'failed'
          update(id, { status, endedAt: new Date(), error: status === 'failed' ? messageOf(error) : undefined })
        })
        .finally(() => {
          const ended = kept.get(id)?.operation
          audit.done(visit, {
            action: `operation.${action}`,
            target: id,
            search: target.search,
            reason: why,
            count: ended?.changed ?? 0,
            outcome: 'done',
          })
          reader.forget()
        })
      return operation
    },
    abort(id) {
      const entry = kept.get(id)
      if (entry === undefined || entry.operation.status !== 'running') return false
      entry.stop.abort()
      return true
    },
    close() {
      for (const { stop } of kept.values()) stop.abort()
    },
  }
}

interface Running {
  readonly by?: string | undefined
  readonly reason?: string | undefined
  readonly signal: AbortSignal
  readonly onProgress: (soFar: Pick<Operation, 'matched' | 'changed' | 'skipped'>) => void
}

async function runQuery(
  client: BaseClient,
  action: BulkAction,
  { query, asOf }: BulkTarget,
  options: Running,
): Promise<void> {
  const phase = phasesOf(action, query)
  if (phase.length === 0) return
  const bulk = client.jobs.where({
    ...query,
    phase,
    enteredBefore: Math.min(query.enteredBefore ?? Infinity, asOf + 1),
  })
  if (action === 'retry') await bulk.requeue(options)
  else if (action === 'cancel') await bulk.cancel(options)
  else await bulk.delete(options)
}

/** A selection is short; each job answers for itself. */
async function runList(
  visit: Visit,
  action: BulkAction,
  ids: readonly string[],
  { reason, signal, onProgress }: Running,
): Promise<void> {
  const command = jobCommand(action)
  let [matched, changed] = [0, 0]
  const skipped: Record<string, number> = {}
  for (const id of ids) {
    signal.throwIfAborted()
    const done = await command.run(visit, id, { reason })
    matched++
    if (done.applied) changed++
    else {
      const why = done.notice === 'missing' ? 'missing' : done.notice === 'held' ? 'duplicate' : 'state'
      skipped[why] = (skipped[why] ?? 0) + 1
    }
    onProgress({ matched, changed, skipped: { ...skipped } })
  }
}

function phasesOf(action: BulkAction, { phase }: JobQuery): NonNullable<JobQuery['phase']> {
  const possible = phasesFor[action]
  return phase === undefined
    ? action === 'retry'
      ? ['failed']
      : possible
    : possible.filter((one) => phase.includes(one))
}

function forgetOldest(kept: Map<string, { readonly operation: Operation }>): void {
  for (const [id, { operation }] of kept) {
    if (kept.size <= mostKept) return
    if (operation.status !== 'running') kept.delete(id)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
