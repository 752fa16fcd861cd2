import type { Wire } from '../codec/wire.ts'
import type { Clock } from '../clock.ts'
import { QError } from '../errors.ts'
import type { AppliedContext, Filter, FilteredJob } from '../filters/filter.ts'
import type { FilterSet, FilterSets } from '../filters/filter-set.ts'
import type { JobDefinition } from '../jobs/define-job.ts'
import { checkShapes } from '../jobs/enqueue-options.ts'
import type { EnqueueOptions, KeepOptions } from '../jobs/enqueue-options.ts'
import { checkJobId, newJobId } from '../jobs/job-id.ts'
import { gatesOf, uniqueOf } from '../jobs/limits.ts'
import { encodeMeta, traceParam } from '../jobs/meta.ts'
import { checkName, checkQueueName } from '../jobs/name.ts'
import { priorityNumber, toStoragePriority } from '../jobs/priority.ts'
import { describeIssues } from '../jobs/standard-schema.ts'
import { currentTrace, serializeTrace } from '../jobs/trace-context.ts'
import { parseDuration } from '../schedule/duration.ts'
import { definitionOf } from '../states/define-state.ts'
import { elect } from '../states/elect.ts'
import { encodeState } from '../states/encode-state.ts'
import type { State } from '../states/state.ts'
import type { Edge, Keep, NewJob, StateInput } from '../storage/job.ts'

/** Everything a job that is being made needs from its client or server. */
export interface Maker {
  readonly wire: Wire
  readonly clock: Clock
  readonly filterSets: FilterSets
  readonly by: string | undefined
}

/** One job that is being made, before any filter has seen it. */
export interface Draft {
  readonly definition: JobDefinition<never, unknown>
  readonly input: unknown
  readonly options: EnqueueOptions
  readonly candidate: State
  readonly edges?: readonly Edge[] | undefined
  /** With edges: the wait after the last parent's end. */
  readonly delayMs?: number | undefined
}

/** The record of a job, and what filters want created with it in the same commit. */
export interface Built {
  readonly job: NewJob
  readonly effects: readonly NewJob[]
}

const none: readonly NewJob[] = []
const enqueuedInput: StateInput = { name: 'enqueued', phase: 'ready' }
const delayedRelease: StateInput = { name: 'scheduled', phase: 'scheduled', reason: 'some time after its parents' }

/** Builds the record of a job and elects its first state. Whatever is wrong with it is said here, before anything is stored. */
export function buildJob(
  maker: Maker,
  draft: Draft,
  meta: Readonly<Record<string, unknown>>,
  tags: readonly string[] | undefined,
): Built | Promise<Built> {
  const { definition, options, input } = draft
  const set = maker.filterSets(definition, options.filters)
  const valid = validateInput(definition, input)
  if (valid instanceof Promise)
    return valid.then(() => electFirst(maker, draft, set, record(maker, draft, set, meta, tags)))
  const built = record(maker, draft, set, meta, tags)
  if (set.elect.length === 0 && set.applied.length === 0 && draft.candidate.name === 'enqueued')
    return { job: built.job, effects: none }
  return electFirst(maker, draft, set, built)
}

interface Recorded {
  readonly job: NewJob
  readonly meta: Readonly<Record<string, unknown>>
}

function factsOf({ definition, input }: Draft, { id, queue, tags = [] }: NewJob): FilteredJob {
  return { id, name: definition.name, queue, input, tags, definition }
}

function record(
  maker: Maker,
  draft: Draft,
  set: FilterSet,
  meta: Readonly<Record<string, unknown>>,
  tags: readonly string[] | undefined,
): Recorded {
  const { definition, options, input, edges, delayMs } = draft
  checkShapes(options)
  const prepared = prepare(definition)
  const id = options.id === undefined ? newJobId(maker.clock) : checkJobId(options.id)
  const queue = options.queue === undefined ? definition.queue : checkQueueName(options.queue)
  const payload = maker.wire.encode(input, prepared.what)
  if (tags !== undefined) for (const tag of tags) checkName('tag', tag)
  const trace = currentTrace()
  const params = Object.keys(meta).length === 0 && trace === undefined ? undefined : encodeMeta(meta, maker.wire)
  if (params !== undefined && trace !== undefined) params[traceParam] = serializeTrace(trace)
  const expires = options.expiresIn === undefined ? prepared.expires : parseDuration(options.expiresIn, 'expiresIn')
  const plain: NewJob = {
    id,
    queue,
    name: definition.name,
    version: definition.version,
    payload,
    preview: typeof payload === 'string' ? undefined : maker.wire.preview(input),
    priority: options.priority === undefined ? prepared.priority : toStoragePriority(priorityNumber(options.priority)),
    state: enqueuedInput,
    after: edges,
    delay: delayMs,
    then: delayMs === undefined ? undefined : delayedRelease,
    expires,
    unique: uniqueOf(definition, input as never, payload),
    params,
    tags: tags !== undefined && tags.length > 0 ? tags : undefined,
    keep: options.keep === undefined ? prepared.keep : { ...prepared.keep, ...keepOf(options.keep) },
    crashLimit: prepared.crashLimit,
    by: maker.by,
  }
  const gates = gatesOf(definition, input as never, set.limits, () => factsOf(draft, plain))
  return { job: gates === undefined ? plain : { ...plain, gates }, meta }
}

function electFirst(maker: Maker, draft: Draft, set: FilterSet, recorded: Recorded): Built | Promise<Built> {
  const elected = elect(set.elect, {
    job: factsOf(draft, recorded.job),
    meta: recorded.meta,
    candidate: draft.candidate,
    from: null,
    attempt: 0,
    crashes: 0,
    rejected: false,
    random: () => maker.clock.random(),
  })
  return elected instanceof Promise
    ? elected.then(({ state }) => enter(maker, draft, set, recorded, state))
    : enter(maker, draft, set, recorded, elected.state)
}

function enter(maker: Maker, draft: Draft, set: FilterSet, { job, meta }: Recorded, state: State): Built {
  const definition = definitionOf(state)
  const waits = (draft.edges?.length ?? 0) > 0
  const allowed = waits
    ? definition.phase === 'awaiting'
    : definition.phase === 'ready' || definition.phase === 'scheduled'
  if (!allowed) {
    throw new QError(
      'Q_OPTION_INVALID',
      `A filter elected "${state.name}" (phase ${definition.phase}) as the first state of job "${job.name}"; a new job can be ${waits ? 'awaiting' : 'enqueued or scheduled'}. Nothing was stored. To refuse a job, throw in the filter's create hook.`,
    )
  }
  const first = {
    ...job,
    state: encodeState(state, job.name, maker.wire, () => undefined),
    ...definition.toTransition?.(state as never),
  }
  return { job: first, effects: effectsOf(maker, set.applied, { job: factsOf(draft, job), meta, state, attempt: 0 }) }
}

/** What `stateApplied` hooks add to the commit that enters a state. */
export function effectsOf(
  maker: Maker,
  filters: readonly Filter[],
  context: Omit<AppliedContext, 'enqueue'>,
  hook: 'stateApplied' | 'stateUnapplied' = 'stateApplied',
): readonly NewJob[] {
  if (filters.length === 0) return none
  const effects: NewJob[] = []
  for (const filter of filters) {
    filter[hook]?.({
      ...context,
      enqueue(definition, input, options = {}) {
        const anonymous = definition as unknown as JobDefinition<never, unknown>
        const built = buildJob(
          maker,
          { definition: anonymous, input, options, candidate: { name: 'enqueued' } },
          options.meta ?? {},
          tagsOf(anonymous, options),
        )
        if (built instanceof Promise) {
          throw new QError(
            'Q_OPTION_INVALID',
            `The filter "${filter.name}" enqueued "${definition.name}" in its ${hook} hook, but that job's schema or filters need to wait. Use a job that can be made at once.`,
          )
        }
        effects.push(built.job, ...built.effects)
        return built.job.id
      },
    })
  }
  return effects
}

function validateInput(definition: JobDefinition<never, unknown>, input: unknown): void | Promise<void> {
  if (definition.schema === null) return
  const result = definition.schema['~standard'].validate(input)
  if (result instanceof Promise) return result.then((late) => checkIssues(definition, late.issues))
  checkIssues(definition, result.issues)
}

function checkIssues(
  definition: JobDefinition<never, unknown>,
  issues: Parameters<typeof describeIssues>[0] | undefined,
): void {
  if (issues === undefined) return
  throw new QError(
    'Q_INPUT_INVALID',
    `The input of job "${definition.name}" does not fit its schema, and was not stored: ${describeIssues(issues)}.`,
  )
}

/** The parts of a definition as storages want them, computed once. */
interface Prepared {
  /** What a refused input is called. */
  readonly what: string
  readonly priority: number
  readonly keep: Keep | undefined
  readonly expires: number | undefined
  readonly crashLimit: number | undefined
}

const prepared = new WeakMap<JobDefinition<never, unknown>, Prepared>()

function prepare(definition: JobDefinition<never, unknown>): Prepared {
  let found = prepared.get(definition)
  if (found === undefined) {
    const { keep, expiresIn, crashLimit } = definition.options
    found = {
      what: `The input of job "${definition.name}"`,
      priority: toStoragePriority(definition.priority),
      keep: keep === undefined ? undefined : keepOf(keep),
      expires: expiresIn === undefined ? undefined : parseDuration(expiresIn, 'expiresIn'),
      crashLimit,
    }
    prepared.set(definition, found)
  }
  return found
}

function keepOf(options: KeepOptions): Keep {
  const keep: { -readonly [K in keyof Keep]: Keep[K] } = {}
  for (const phase of ['succeeded', 'failed', 'deleted'] as const) {
    const value = options[phase]
    if (value !== undefined) keep[phase] = value === 'forever' ? null : parseDuration(value, `keep.${phase}`)
  }
  return keep
}

/** The tags of a definition and of a call together. */
export function tagsOf(
  definition: JobDefinition<never, unknown>,
  options: EnqueueOptions,
): readonly string[] | undefined {
  const own = definition.options.tags
  if (own === undefined) return options.tags
  return options.tags === undefined ? own : [...new Set([...own, ...options.tags])]
}
