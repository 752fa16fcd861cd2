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
import type { Edge, JobId, Keep, NewJob, StateInput } from '../storage/job.ts'

/** Everything a job that is being made needs from its client or server. */
export interface Maker {
  readonly wire: Wire
  readonly clock: Clock
  readonly filterSets: FilterSets
  readonly by: string | undefined
}

/** What a call says of the jobs it makes: all but their inputs. */
export interface Call {
  readonly definition: JobDefinition<never, unknown>
  readonly options: EnqueueOptions
  readonly candidate: State
  readonly edges?: readonly Edge[] | undefined
  /** With edges: the wait after the last parent's end. */
  readonly delayMs?: number | undefined
}

/** A call read and checked once, for all jobs it makes. */
export interface Terms {
  readonly call: Call
  readonly set: FilterSet
  readonly meta: Readonly<Record<string, unknown>>
  readonly prepared: Prepared
  readonly id: JobId | undefined
  readonly queue: string
  readonly priority: number
  readonly expires: number | undefined
  readonly params: Readonly<Record<string, string>> | undefined
  readonly tags: readonly string[] | undefined
  readonly keep: Keep | undefined
}

/** The record of a job, and what filters want created with it in the same commit. */
export interface Built {
  readonly job: NewJob
  readonly effects: readonly NewJob[]
}

const none: readonly NewJob[] = []
const noMeta: Readonly<Record<string, unknown>> = {}
const enqueuedInput: StateInput = { name: 'enqueued', phase: 'ready' }
const delayedRelease: StateInput = { name: 'scheduled', phase: 'scheduled', reason: 'some time after its parents' }

/** `meta` and `tags` as the create filters left them; without any, those of the call. */
export function readCall(
  maker: Maker,
  call: Call,
  meta: Readonly<Record<string, unknown>> = call.options.meta ?? noMeta,
  tags: readonly string[] | undefined = tagsOf(call.definition, call.options),
): Terms {
  const { definition, options } = call
  checkShapes(options)
  const prepared = prepare(definition)
  if (tags !== undefined) for (const tag of tags) checkName('tag', tag)
  const trace = currentTrace()
  const params = trace === undefined && isEmpty(meta) ? undefined : encodeMeta(meta, maker.wire)
  if (params !== undefined && trace !== undefined) params[traceParam] = serializeTrace(trace)
  return {
    call,
    set: maker.filterSets(definition, options.filters),
    meta,
    prepared,
    id: options.id === undefined ? undefined : checkJobId(options.id),
    queue: options.queue === undefined ? definition.queue : checkQueueName(options.queue),
    priority: options.priority === undefined ? prepared.priority : toStoragePriority(priorityNumber(options.priority)),
    expires: options.expiresIn === undefined ? prepared.expires : parseDuration(options.expiresIn, 'expiresIn'),
    params,
    tags: tags !== undefined && tags.length > 0 ? tags : undefined,
    keep: options.keep === undefined ? prepared.keep : { ...prepared.keep, ...keepOf(options.keep) },
  }
}

function isEmpty(record: object): boolean {
  for (const _ in record) return false
  return true
}

/** Builds the record of a job and elects its first state. Whatever is wrong with it is said here, before anything is stored. */
export function buildJob(maker: Maker, terms: Terms, input: unknown): Built | Promise<Built> {
  const { call, set } = terms
  const valid = validateInput(call.definition, input)
  if (valid instanceof Promise) return valid.then(() => electFirst(maker, terms, input, record(maker, terms, input)))
  const job = record(maker, terms, input)
  if (set.elect.length === 0 && set.applied.length === 0 && call.candidate.name === 'enqueued')
    return { job, effects: none }
  return electFirst(maker, terms, input, job)
}

function factsOf({ call: { definition } }: Terms, input: unknown, { id, queue, tags = [] }: NewJob): FilteredJob {
  return { id, name: definition.name, queue, input, tags, definition }
}

function record(maker: Maker, terms: Terms, input: unknown): NewJob {
  const { call, set, prepared } = terms
  const { definition, edges, delayMs } = call
  const payload = maker.wire.encode(input, prepared.what)
  const job: NewJob = {
    id: terms.id ?? newJobId(maker.clock),
    queue: terms.queue,
    name: definition.name,
    version: definition.version,
    payload,
    preview: typeof payload === 'string' ? undefined : maker.wire.preview(input),
    priority: terms.priority,
    state: enqueuedInput,
    after: edges,
    delay: delayMs,
    then: delayMs === undefined ? undefined : delayedRelease,
    expires: terms.expires,
    unique: uniqueOf(definition, input as never, payload),
    params: terms.params,
    tags: terms.tags,
    keep: terms.keep,
    crashLimit: prepared.crashLimit,
    by: maker.by,
  }
  if (!prepared.isLimited && set.limits.length === 0) return job
  return { ...job, gates: gatesOf(definition, input as never, set.limits, () => factsOf(terms, input, job)) }
}

function electFirst(maker: Maker, terms: Terms, input: unknown, job: NewJob): Built | Promise<Built> {
  const elected = elect(terms.set.elect, {
    job: factsOf(terms, input, job),
    meta: terms.meta,
    candidate: terms.call.candidate,
    from: null,
    attempt: 0,
    crashes: 0,
    rejected: false,
    random: () => maker.clock.random(),
  })
  return elected instanceof Promise
    ? elected.then(({ state }) => enter(maker, terms, input, job, state))
    : enter(maker, terms, input, job, elected.state)
}

function enter(maker: Maker, terms: Terms, input: unknown, job: NewJob, state: State): Built {
  const definition = definitionOf(state)
  const waits = (terms.call.edges?.length ?? 0) > 0
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
  const context = { job: factsOf(terms, input, job), meta: terms.meta, state, attempt: 0 }
  return { job: first, effects: effectsOf(maker, terms.set.applied, context) }
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
        const terms = readCall(maker, { definition: anonymous, options, candidate: { name: 'enqueued' } })
        const built = buildJob(maker, terms, input)
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
  readonly isLimited: boolean
}

const prepared = new WeakMap<JobDefinition<never, unknown>, Prepared>()

function prepare(definition: JobDefinition<never, unknown>): Prepared {
  let found = prepared.get(definition)
  if (found === undefined) {
    const { keep, expiresIn, crashLimit, concurrency, rate } = definition.options
    found = {
      what: `The input of job "${definition.name}"`,
      priority: toStoragePriority(definition.priority),
      keep: keep === undefined ? undefined : keepOf(keep),
      expires: expiresIn === undefined ? undefined : parseDuration(expiresIn, 'expiresIn'),
      crashLimit,
      isLimited: concurrency !== undefined || rate !== undefined,
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
