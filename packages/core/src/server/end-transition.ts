import { effectsOf } from '../client/build-job.ts'
import type { ElectContext } from '../filters/filter.ts'
import { retryFilterName } from '../filters/automatic-retry.ts'
import type { FilterSet } from '../filters/filter-set.ts'
import { transitionTo } from '../states/define-state.ts'
import type { Elected } from '../states/elect.ts'
import { elect } from '../states/elect.ts'
import { encodeState } from '../states/encode-state.ts'
import { failed } from '../states/failed.ts'
import type { State } from '../states/state.ts'
import type { Transition } from '../storage/jobs.ts'
import type { RegisteredJob } from './job-registry.ts'
import type { RunEnd } from './perform.ts'
import type { Run } from './run.ts'
import type { ServerCore } from './server-core.ts'

/** From the end of a run to the one transition that completes its claim. Filters elect; a filter that throws fails the run. */
export function endTransition(
  core: ServerCore,
  job: RegisteredJob,
  run: Run,
  filters: FilterSet,
  end: RunEnd,
  ranMs: number,
): Transition | Promise<Transition> {
  try {
    const elected = electEnd(core, job, run, filters, end)
    return elected instanceof Promise
      ? buildLate(core, job, run, filters, elected, end, ranMs)
      : build(core, job, run, filters, elected, end, ranMs)
  } catch (error) {
    return endOfFilter(core, job, run, filters, error, ranMs)
  }
}

async function buildLate(
  core: ServerCore,
  job: RegisteredJob,
  run: Run,
  filters: FilterSet,
  elected: Promise<Elected>,
  end: RunEnd,
  ranMs: number,
): Promise<Transition> {
  try {
    return build(core, job, run, filters, await elected, end, ranMs)
  } catch (error) {
    return endOfFilter(core, job, run, filters, error, ranMs)
  }
}

function endOfFilter(
  core: ServerCore,
  job: RegisteredJob,
  run: Run,
  filters: FilterSet,
  error: unknown,
  ranMs: number,
): Transition {
  core.logger.error('a filter failed while a run was ending; the run is counted as failed', {
    job: run.id,
    name: run.name,
    error: String(error),
  })
  const silent = { ...filters, applied: [], unapplied: [] }
  return build(core, job, run, silent, { state: failed(error), via: [] }, {}, ranMs)
}

function electEnd(
  core: ServerCore,
  job: RegisteredJob,
  run: Run,
  filters: FilterSet,
  end: RunEnd,
): Elected | Promise<Elected> {
  const { candidate } = end
  // Nobody but the retry filter, and nothing to retry: the usual case costs nothing.
  if (candidate.name === 'succeeded' && filters.elect.every(({ name }) => name === retryFilterName))
    return { state: candidate, via: [] }
  const context: ElectContext = {
    job: factsOf(job, run),
    meta: run.meta,
    candidate,
    from: 'active',
    attempt: run.attempt,
    crashes: run.crashes,
    rejected: end.rejected ?? false,
    random: () => core.clock.random(),
  }
  return elect(filters.elect, context)
}

function factsOf({ definition }: RegisteredJob, run: Run): ElectContext['job'] {
  return { id: run.id, name: run.name, queue: run.queue, input: run.input, tags: run.tags, definition }
}

function build(
  core: ServerCore,
  job: RegisteredJob,
  run: Run,
  filters: FilterSet,
  { state, via }: Elected,
  end: Pick<RunEnd, 'undo'>,
  ranMs: number,
): Transition {
  const { at, delay, parkedFor } = transitionTo(state)
  const created =
    filters.applied.length === 0 && filters.unapplied.length === 0 ? undefined : effects(core, job, run, filters, state)
  return {
    id: run.claimed.id,
    token: run.claimed.token,
    to: encode(core, run, state),
    via: via.length === 0 ? undefined : encodeAll(core, run, via),
    at,
    delay,
    parkedFor,
    queue: state.name === 'enqueued' ? state.queue : undefined,
    attempt: end.undo ? 'undo' : undefined,
    ranMs,
    create: created,
  }
}

function encode(core: ServerCore, run: Run, state: State): Transition['to'] {
  return encodeState(state, run.name, core.wire, (problem) => {
    run.log.warn(`The result was not stored: ${problem}`)
    core.logger.warn('a result could not be stored', { job: run.id, name: run.name, problem })
  })
}

function encodeAll(core: ServerCore, run: Run, states: readonly State[]): Transition['via'] {
  return states.map((state) => encode(core, run, state))
}

function effects(
  core: ServerCore,
  job: RegisteredJob,
  run: Run,
  filters: FilterSet,
  state: State,
): Transition['create'] {
  const context = { job: factsOf(job, run), meta: run.meta, attempt: run.attempt }
  const list = [
    ...effectsOf(core, filters.unapplied, { ...context, state: { name: 'processing' } }, 'stateUnapplied'),
    ...effectsOf(core, filters.applied, { ...context, state }),
  ]
  return list.length === 0 ? undefined : list
}
