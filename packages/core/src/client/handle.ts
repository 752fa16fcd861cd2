import { reviveError } from '../codec/serialized-error.ts'
import { JobDeletedError, JobFailedError, QError } from '../errors.ts'
import type { Duration } from '../schedule/duration.ts'
import { parseDuration } from '../schedule/duration.ts'
import { isFinalPhase } from '../storage/job.ts'
import type { JobId } from '../storage/job.ts'
import type { JobView } from '../storage/monitor.ts'
import type { ClientCore } from './client-core.ts'
import { missingReason, readError } from './job-details.ts'
import type { JobEvent } from './subscribe.ts'
import { subscribe } from './subscribe.ts'
import { watchUntil } from './watch-until.ts'

export interface ResultOptions {
  /** Reject with Q_TIMEOUT after this time. The job goes on. Default: wait for ever. */
  readonly timeout?: Duration | undefined
  readonly signal?: AbortSignal | undefined
}

/** What a job is in, as its handle tells it. */
export interface JobState {
  readonly name: string
  readonly reason: string | undefined
  readonly at: Date
  readonly attempt: number
}

/** Stands for one job, wherever it was made. */
export interface JobHandle<Result> {
  readonly id: JobId
  /** False when the job was there already, or its unique key was held. */
  readonly created: boolean
  /** The job that holds the unique key, when that refused this one. */
  readonly conflict: JobId | undefined
  /** Null when the job is not in storage (any more). */
  state(): Promise<JobState | null>
  /** Waits for the end. Rejects with JobFailedError or JobDeletedError; the error that was thrown is its cause. */
  result(options?: ResultOptions): Promise<Result>
  /** Everything that happens to the job from now on, ending after a final state. The first event is its present state. */
  subscribe(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterableIterator<JobEvent>
}

/** A list of a thousand jobs makes a thousand of these, so their functions are shared. */
export class Handle<Result> implements JobHandle<Result> {
  readonly #core: ClientCore
  readonly id: JobId
  readonly created: boolean
  readonly conflict: JobId | undefined

  constructor(core: ClientCore, id: JobId, created: boolean, conflict?: JobId) {
    this.#core = core
    // A refused job was never stored: its handle speaks of the job that holds the key.
    this.id = conflict ?? id
    this.created = created
    this.conflict = conflict
  }

  async state(): Promise<JobState | null> {
    const view = await readView(this.#core, this.id)
    return view === null
      ? null
      : { name: view.state.name, reason: view.state.reason, at: new Date(view.state.at), attempt: view.attempt }
  }

  async result(options: ResultOptions = {}): Promise<Result> {
    return waitForResult(this.#core, this.id, options)
  }

  subscribe(options: { readonly signal?: AbortSignal | undefined } = {}): AsyncIterableIterator<JobEvent> {
    return subscribe(this.#core, this.id, options.signal)
  }
}

async function readView(core: ClientCore, id: JobId): Promise<JobView | null> {
  const [view] = await core.storage.monitor.get([id])
  return view ?? null
}

async function waitForResult<Result>(core: ClientCore, id: JobId, { timeout, signal }: ResultOptions): Promise<Result> {
  const limit = timeout === undefined ? undefined : { ms: parseDuration(timeout, 'timeout'), error: notEnded }
  function notEnded(): QError {
    const within = `${timeout}${typeof timeout === 'number' ? ' ms' : ''}`
    return new QError(
      'Q_TIMEOUT',
      `Job ${id} has not ended within ${within}. It goes on; ask \`client.explain('${id}')\` what it waits for.`,
    )
  }
  const view = await watchUntil(core, { job: id }, () => lookForEnd(core, id), { signal, timeout: limit })
  return endOf<Result>(core, view)
}

async function lookForEnd(core: ClientCore, id: JobId): Promise<JobView | undefined> {
  const view = await readView(core, id)
  if (view === null) {
    throw new QError(
      'Q_JOB_NOT_FOUND',
      `Job ${id} is not in storage: it never existed, or its retention has ended. Raise \`keep\` on its definition to read results longer.`,
    )
  }
  return isFinalPhase(view.state.phase) ? view : undefined
}

async function endOf<Result>(core: ClientCore, view: JobView): Promise<Result> {
  const { id, name, state } = view
  if (state.phase === 'succeeded') {
    const result = state.data === undefined ? undefined : core.wire.decode(state.data)
    const missing = missingReason(result)
    if (missing === undefined) return result as Result
    throw new QError(
      'Q_NOT_SERIALIZABLE',
      `Job ${id} ("${name}") succeeded, but its result could not be stored: ${missing}`,
    )
  }
  if (state.phase === 'failed') {
    const error = readError(core, state)
    throw new JobFailedError(id, `Job ${id} ("${name}") failed at attempt ${view.attempt}: ${error.message}`, {
      cause: reviveError(error),
    })
  }
  throw new JobDeletedError(
    id,
    `Job ${id} ("${name}") was deleted${state.reason === undefined ? '' : `: ${state.reason}`}.`,
    state.reason,
  )
}
