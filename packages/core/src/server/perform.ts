import { JobLoadError, QError } from '../errors.ts'
import { around } from '../filters/filter.ts'
import type { FilterSet } from '../filters/filter-set.ts'
import { kindOf, outcomeOf } from '../jobs/outcome.ts'
import type { Outcome } from '../jobs/outcome.ts'
import { parseTrace, withTrace } from '../jobs/trace-context.ts'
import type { TraceContext } from '../jobs/trace-context.ts'
import { traceParam } from '../jobs/meta.ts'
import { describeIssues } from '../jobs/standard-schema.ts'
import { parseDuration } from '../schedule/duration.ts'
import { deleted } from '../states/deleted.ts'
import { enqueued } from '../states/enqueued.ts'
import { failed } from '../states/failed.ts'
import { scheduled } from '../states/scheduled.ts'
import type { State } from '../states/state.ts'
import { succeeded } from '../states/succeeded.ts'
import type { RegisteredJob } from './job-registry.ts'
import type { Run } from './run.ts'
import type { ServerCore } from './server-core.ts'

/** How a run ended: the state it is a candidate for, and whether the attempt counts. */
export interface RunEnd {
  readonly candidate: State
  readonly undo?: boolean | undefined
  /** No retry can help. */
  readonly rejected?: boolean | undefined
}

/**
 * Runs filters and handler of one job. Never throws: whatever user code does becomes an end. There is a promise only
 * where something has to be waited for; most jobs have nothing but their handler.
 */
export function perform(core: ServerCore, job: RegisteredJob, run: Run, filters: FilterSet): RunEnd | Promise<RunEnd> {
  const { definition } = job
  if (definition.schema !== null || run.claimed.version < definition.version) {
    return performLifted(core, job, run, filters)
  }
  let input: unknown
  try {
    input = core.wire.decode(run.claimed.payload) ?? undefined
  } catch (error) {
    return endOfBadInput(loadError(run, error))
  }
  return handle(core, job, run, filters, input)
}

async function performLifted(core: ServerCore, job: RegisteredJob, run: Run, filters: FilterSet): Promise<RunEnd> {
  let input: unknown
  try {
    input = await liftInput(core, job, run)
  } catch (error) {
    return endOfBadInput(error)
  }
  return handle(core, job, run, filters, input)
}

function handle(
  core: ServerCore,
  job: RegisteredJob,
  run: Run,
  filters: FilterSet,
  input: unknown,
): RunEnd | Promise<RunEnd> {
  run.input = input
  startTimeout(core, job, run)
  try {
    const value = filters.perform.length === 0 ? call(job, run) : callThroughFilters(job, run, filters)
    return isThenable(value) ? awaitEnd(run, value) : endOfReturn(run, value)
  } catch (error) {
    return endOfThrow(run, error)
  }
}

function callThroughFilters(job: RegisteredJob, run: Run, filters: FilterSet): Promise<unknown> {
  return around(filters.perform, run, async () => call(job, run))
}

function call(job: RegisteredJob, run: Run): unknown {
  const trace = parseTrace(run.claimed.params[traceParam])
  return trace === undefined ? job.run(run.input as never, run as never) : callTraced(job, run, trace)
}

function callTraced(job: RegisteredJob, run: Run, trace: TraceContext): unknown {
  return withTrace(trace, () => job.run(run.input as never, run as never))
}

function awaitEnd(run: Run, value: PromiseLike<unknown>): Promise<RunEnd> {
  return Promise.resolve(value).then(
    (result) => endOfReturn(run, result),
    (error: unknown) => endOfThrow(run, error),
  )
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    'then' in value &&
    typeof value.then === 'function'
  )
}

/** The stored payload, lifted to the present version, validated. */
async function liftInput(core: ServerCore, { definition }: RegisteredJob, run: Run): Promise<unknown> {
  const { id, name, version, payload } = run.claimed
  let input: unknown
  try {
    input = core.wire.decode(payload)
    for (let from = version; from < definition.version; from++) {
      input = await definition.options.upgrade![from]!(input as never)
    }
  } catch (error) {
    throw loadError(run, error)
  }
  if (definition.schema === null) return input ?? undefined
  const result = await definition.schema['~standard'].validate(input ?? undefined)
  if (result.issues === undefined) return result.value
  throw new QError(
    'Q_INPUT_INVALID',
    `The stored input of job ${id} ("${name}@${version}") does not fit the schema any more: ${describeIssues(result.issues)}. Raise the job's version and give an \`upgrade\`, then requeue it.`,
  )
}

function loadError({ claimed: { id, name, version } }: Run, error: unknown): JobLoadError {
  return new JobLoadError(
    id,
    `The stored input of job ${id} ("${name}@${version}") cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    { cause: error },
  )
}

function startTimeout(core: ServerCore, { definition }: RegisteredJob, run: Run): void {
  const { timeout } = definition.options
  if (timeout !== undefined) run.timer = core.clock.timer(parseDuration(timeout, 'timeout'), () => run.stop('timeout'))
}

function endOfBadInput(error: unknown): RunEnd {
  return { candidate: failed(error), rejected: true }
}

function endOfReturn(run: Run, value: unknown): RunEnd {
  if (run.stopped === 'timeout') return endOfTimeout(run)
  const outcome = outcomeOf(value)
  return outcome === null ? { candidate: succeeded(value) } : endOfOutcome(outcome)
}

function endOfOutcome(outcome: Outcome): RunEnd {
  switch (kindOf(outcome)) {
    case 'snooze': {
      const { delay, reason } = outcome as Extract<Outcome, { delay: unknown }>
      return { candidate: scheduled({ in: parseDuration(delay, 'snooze') }, reason ?? 'snoozed'), undo: true }
    }
    case 'cancel':
      return { candidate: deleted((outcome as Extract<Outcome, { reason: string }>).reason) }
    case 'reject':
      return { candidate: failed((outcome as Extract<Outcome, { error: unknown }>).error), rejected: true }
  }
}

function endOfThrow(run: Run, error: unknown): RunEnd {
  switch (run.stopped) {
    case 'timeout':
      return endOfTimeout(run)
    case 'cancel':
      return { candidate: deleted(run.cancelReason ?? 'cancelled', 'aborted') }
    case 'stopping':
      return { candidate: enqueued('handed back: its server stopped'), undo: true }
    default:
      return { candidate: failed(error) }
  }
}

function endOfTimeout(run: Run): RunEnd {
  return { candidate: failed(run.signal.reason) }
}
