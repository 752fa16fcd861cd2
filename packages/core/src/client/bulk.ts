import type { Duration } from '../schedule/duration.ts'
import { deleted } from '../states/deleted.ts'
import { enqueued } from '../states/enqueued.ts'
import type { Phase } from '../storage/job.ts'
import type { ApplyOutcome } from '../storage/jobs.ts'
import type { JobQuery } from '../storage/monitor.ts'
import { cancelCommand, unfinished } from './cancel.ts'
import type { BulkQuery } from './client-types.ts'
import type { ClientCore } from './client-core.ts'
import { storageNow } from './storage-now.ts'
import type { Command } from './commands.ts'
import { sendCommand } from './commands.ts'

export interface BulkOptions {
  readonly reason?: string | undefined
  readonly by?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** Called after every chunk, with what has been done so far. */
  readonly onProgress?: ((soFar: BulkResult) => void) | undefined
}

export interface BulkResult {
  readonly matched: number
  readonly changed: number
  /** Why the others were left alone: `state`, `missing`, `duplicate`. */
  readonly skipped: Readonly<Record<string, number>>
}

export interface BulkCommands {
  /** How many match, counted up to `max` (default 10,000). */
  count(max?: number): Promise<{ readonly value: number; readonly exact: boolean }>
  requeue(options?: BulkOptions): Promise<BulkResult>
  delete(options?: BulkOptions): Promise<BulkResult>
  cancel(options?: BulkOptions & { readonly grace?: Duration | undefined }): Promise<BulkResult>
}

/** What `requeue` may take a job out of. */
export const requeueable: readonly Phase[] = ['failed', 'deleted', 'succeeded', 'scheduled', 'parked']
/** What `delete` may take a job out of. */
export const deletable: readonly Phase[] = ['awaiting', 'scheduled', 'ready', 'active', 'parked', 'failed', 'succeeded']

const chunk = 500

export function bulkCommands(core: ClientCore, query: BulkQuery): BulkCommands {
  const asked = normalise(query)
  return {
    count: (max = 10_000) => core.storage.monitor.count(asked, max),
    requeue: (options = {}) =>
      run(core, { ...asked, phase: asked.phase ?? ['failed'] }, options, {
        to: enqueued(options.reason ?? 'requeued'),
        from: requeueable,
        attempt: 'reset',
        by: options.by,
      }),
    delete: (options = {}) =>
      run(core, { ...asked, phase: asked.phase ?? deletable }, options, {
        to: deleted(options.reason ?? 'deleted'),
        from: deletable,
        force: true,
        by: options.by,
      }),
    cancel: (options = {}) =>
      run(core, { ...asked, phase: asked.phase ?? unfinished }, options, cancelCommand(options)),
  }
}

function normalise(query: BulkQuery): JobQuery {
  const listed = ['phase', 'state', 'queue', 'name', 'tag'] as const
  const asked: Record<string, unknown> = { ...query }
  for (const field of listed) {
    const value = query[field]
    if (value !== undefined && !Array.isArray(value)) asked[field] = [value]
  }
  return asked as JobQuery
}

/** The filter is frozen at its start: what enters the state later, by this command or otherwise, is not met again. */
async function run(core: ClientCore, query: JobQuery, options: BulkOptions, command: Command): Promise<BulkResult> {
  const at = await storageNow(core)
  const frozen = { ...query, enteredBefore: Math.min(query.enteredBefore ?? Infinity, at + 1) }
  let result: BulkResult = { matched: 0, changed: 0, skipped: {} }
  let cursor: string | undefined
  do {
    options.signal?.throwIfAborted()
    const page = await core.storage.monitor.list(frozen, { limit: chunk, cursor, order: 'oldest' })
    const ids = page.items.map(({ id }) => id)
    if (ids.length > 0) result = add(result, await sendCommand(core, ids, command))
    options.onProgress?.(result)
    cursor = page.next
  } while (cursor !== undefined)
  return result
}

function add(sum: BulkResult, outcomes: readonly ApplyOutcome[]): BulkResult {
  const skipped = { ...sum.skipped }
  let changed = sum.changed
  for (const { ok } of outcomes) {
    if (ok === 'applied' || ok === 'already' || ok === 'signalled') changed++
    else {
      const reason = ok === 'refused' || ok === 'stale' ? 'state' : ok
      skipped[reason] = (skipped[reason] ?? 0) + 1
    }
  }
  return { matched: sum.matched + outcomes.length, changed, skipped }
}
