import { isQError, QError } from '../errors.ts'
import type { Duration } from '../schedule/duration.ts'
import { parseDuration } from '../schedule/duration.ts'
import { deleted } from '../states/deleted.ts'
import { isFinalPhase } from '../storage/job.ts'
import type { JobId, Phase } from '../storage/job.ts'
import type { ApplyOutcome } from '../storage/jobs.ts'
import type { ClientCore } from './client-core.ts'
import type { CommandOptions } from './commands.ts'
import { sendCommand } from './commands.ts'
import { watchUntil } from './watch-until.ts'

export interface CancelOptions extends Omit<CommandOptions, 'from'> {
  /** How long a running handler may take to stop after its signal; then its run is voided. Default '10s'. */
  readonly grace?: Duration | undefined
  /** How long to wait for the end. The wish stands whether or not somebody waits. Default: grace + '30s'. */
  readonly timeout?: Duration | undefined
  readonly signal?: AbortSignal | undefined
}

export interface CancelResult {
  /** True when the job did not come to its own end. */
  readonly stopped: boolean
  /** `finished first`: it had ended, or ended before it noticed. `pending`: not ended within the timeout; the wish stands. */
  readonly how: 'before start' | 'aborted' | 'abandoned' | 'finished first' | 'missing' | 'pending'
}

/** Everything a cancel can still stop. */
export const unfinished: readonly Phase[] = ['awaiting', 'scheduled', 'ready', 'active', 'parked']

const defaultGraceMs = 10_000

export function cancelCommand(options: CancelOptions): Parameters<typeof sendCommand>[2] {
  const grace = options.grace === undefined ? defaultGraceMs : parseDuration(options.grace, 'grace')
  return { to: deleted(options.reason ?? 'cancelled'), from: unfinished, grace, by: options.by }
}

export async function cancel(core: ClientCore, id: JobId, options: CancelOptions = {}): Promise<CancelResult> {
  const command = cancelCommand(options)
  const [outcome] = await sendCommand(core, [id], command)
  return outcome!.ok === 'signalled' || outcome!.ok === 'already'
    ? waitForEnd(core, id, options, (command.grace ?? defaultGraceMs) + 30_000)
    : withoutWaiting(id, outcome!)
}

function withoutWaiting(id: JobId, outcome: ApplyOutcome): CancelResult {
  if (outcome.ok === 'applied') return { stopped: true, how: 'before start' }
  if (outcome.ok === 'missing') return { stopped: false, how: 'missing' }
  if (outcome.ok === 'refused' || outcome.ok === 'stale') return { stopped: false, how: 'finished first' }
  throw new QError(
    'Q_STORAGE_UNAVAILABLE',
    `Job ${id} was not cancelled: the storage answered "${outcome.ok}". Try again.`,
  )
}

async function waitForEnd(
  core: ClientCore,
  id: JobId,
  options: CancelOptions,
  defaultTimeoutMs: number,
): Promise<CancelResult> {
  const ms = options.timeout === undefined ? defaultTimeoutMs : parseDuration(options.timeout, 'timeout')
  const error = (): QError => new QError('Q_TIMEOUT', 'the wait for the end of a cancelled job is over')
  const { signal } = options
  try {
    return await watchUntil(core, { job: id }, () => lookForEnd(core, id), { signal, timeout: { ms, error } })
  } catch (thrown) {
    if (isQError(thrown, 'Q_TIMEOUT')) return { stopped: false, how: 'pending' }
    throw thrown
  }
}

async function lookForEnd(core: ClientCore, id: JobId): Promise<CancelResult | undefined> {
  const [view] = await core.storage.monitor.get([id])
  if (view === null || view === undefined) return { stopped: true, how: 'aborted' }
  if (!isFinalPhase(view.state.phase)) return undefined
  if (view.state.phase !== 'deleted') return { stopped: false, how: 'finished first' }
  const data = view.state.data === undefined ? undefined : core.tryDecode(view.state.data)
  const how: unknown = typeof data === 'object' && data !== null ? Reflect.get(data, 'how') : undefined
  return { stopped: true, how: how === 'abandoned' ? 'abandoned' : 'aborted' }
}
