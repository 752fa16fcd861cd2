import type { Clock } from '../clock.ts'
import { systemClock } from '../clock.ts'
import type { Codec } from '../codec/codec.ts'
import { createWire } from '../codec/wire.ts'
import { QError } from '../errors.ts'
import type { Created, Filter } from '../filters/filter.ts'
import { around } from '../filters/filter.ts'
import { createFilterSets } from '../filters/filter-set.ts'
import type { JobDefinition } from '../jobs/define-job.ts'
import type { EnqueueOptions } from '../jobs/enqueue-options.ts'
import { checkJobId, newJobId } from '../jobs/job-id.ts'
import type { Logger } from '../logger.ts'
import { silentLogger } from '../logger.ts'
import type { Duration } from '../schedule/duration.ts'
import { parseDuration } from '../schedule/duration.ts'
import { excerpt } from '../schedule/excerpt.ts'
import type { ParentEnd } from '../states/awaiting.ts'
import { awaiting } from '../states/awaiting.ts'
import { deleted } from '../states/deleted.ts'
import { enqueued } from '../states/enqueued.ts'
import { scheduled } from '../states/scheduled.ts'
import type { State } from '../states/state.ts'
import type { Edge, FinalPhase, JobId, NewJob } from '../storage/job.ts'
import { finalPhases } from '../storage/job.ts'
import type { CreateOutcome, SynchronousJobsRoom, TransactionalJobsRoom } from '../storage/jobs.ts'
import type { JobStorage } from '../storage/storage.ts'
import type { Built, Call, Terms } from './build-job.ts'
import { buildJob, readCall, tagsOf } from './build-job.ts'
import { bulkCommands, deletable, requeueable } from './bulk.ts'
import { cancel } from './cancel.ts'
import type { BaseClient, Client, ContinueOptions, Enqueuing, Parent } from './client-types.ts'
import type { ClientCore } from './client-core.ts'
import { commandResult, expectedFrom, sendCommand } from './commands.ts'
import type { Stored } from './create-batch.ts'
import { CreateBatch } from './create-batch.ts'
import { explain } from './explain.ts'
import type { JobHandle } from './handle.ts'
import { Handle } from './handle.ts'
import { acquireLock } from './lock.ts'
import { createMonitor, readDetails } from './monitor.ts'
import { createQueues } from './queues.ts'
import { createRecurring } from './recurring.ts'

export interface ClientOptions<Storage extends JobStorage> {
  readonly storage: Storage
  readonly filters?: readonly Filter[] | undefined
  /** Default `jsonCodec`. */
  readonly codec?: Codec | undefined
  /** Bytes of one input, result or meta value. Default 1 MiB. */
  readonly maxPayload?: number | undefined
  readonly logger?: Logger | undefined
  /** Stands in the history of what this client does. */
  readonly name?: string | undefined
  /** How long an unclear answer of the storage is asked about, at most a minute. Default '10s'. */
  readonly deadline?: Duration | undefined
  /** For tests. */
  readonly clock?: Clock | undefined
}

/**
 * Creates jobs and commands them.
 *
 * @example
 * const client = createClient({ storage })
 * const handle = await client.enqueue(sendMail, { to: 'ada@example.com' })
 * const { messageId } = await handle.result()
 */
export function createClient<Storage extends JobStorage>(options: ClientOptions<Storage>): Client<Storage> {
  const core = createClientCore(options)
  const batch = new CreateBatch(core.storage, core.clock, core.deadlineMs)
  const store = (jobs: readonly NewJob[]): Promise<Stored> => batch.addAll(jobs)
  const { jobs } = core.storage
  const client: BaseClient & Partial<Record<'with' | 'enqueueSync', unknown>> = {
    ...enqueuing(core, store),
    handle: (job: JobId | JobDefinition<never, unknown>, id?: JobId) =>
      new Handle<never>(core, checkJobId(typeof job === 'string' ? job : id!), false),
    get: (id) => readDetails(core, checkJobId(id)),
    async requeue(id, { from, reason, by } = {}) {
      const [outcome] = await sendCommand(core, [id], {
        to: enqueued(reason ?? 'requeued'),
        from: expectedFrom(from, requeueable),
        attempt: 'reset',
        by,
      })
      return commandResult(id, outcome!)
    },
    async delete(id, { from, reason, by } = {}) {
      const [outcome] = await sendCommand(core, [id], {
        to: deleted(reason ?? 'deleted'),
        from: expectedFrom(from, deletable),
        force: true,
        by,
      })
      return commandResult(id, outcome!)
    },
    cancel: (id, cancelOptions) => cancel(core, checkJobId(id), cancelOptions),
    async reschedule(id, { from, reason, by, ...when }) {
      const [outcome] = await sendCommand(core, [id], {
        to: scheduled(when, reason ?? 'rescheduled'),
        from: expectedFrom(from, ['scheduled', 'ready', 'parked']),
        by,
      })
      return commandResult(id, outcome!)
    },
    jobs: { where: (query) => bulkCommands(core, query) },
    explain: (id) => explain(core, checkJobId(id)),
    recurring: createRecurring(core),
    queues: createQueues(core),
    lock: (name, lockOptions) => acquireLock(core, name, lockOptions),
    monitor: createMonitor(core),
    close: () => batch.close(),
    [Symbol.asyncDispose]: () => batch.close(),
  }
  if ('createSync' in jobs) {
    client.enqueueSync = (job: JobDefinition<never, unknown>, input: unknown, enqueueOptions: EnqueueOptions = {}) =>
      enqueueSync(core, jobs as SynchronousJobsRoom, job, input, enqueueOptions)
  }
  if ('within' in jobs) {
    client.with = (tx: unknown) => {
      const inside = (jobs as TransactionalJobsRoom<unknown>).within(tx)
      return enqueuing(core, async (list) => ({ outcomes: await inside.create(list), repeated: false }))
    }
  }
  return client as unknown as Client<Storage>
}

const longestDeadlineMs = 60_000

export function createClientCore(options: ClientOptions<JobStorage>): ClientCore {
  const { storage, filters = [], codec, maxPayload, logger = silentLogger, name, clock = systemClock } = options
  const wire = createWire(codec, maxPayload)
  const known = new Map<string, JobDefinition<never, unknown>>()
  const filterSets = createFilterSets(filters)
  const anyElects = (set: ReturnType<typeof filterSets>): boolean =>
    set.elect.length > 0 || set.applied.length > 0 || set.unapplied.length > 0
  return {
    storage,
    wire,
    clock,
    logger,
    by: name,
    deadlineMs: parseDuration(options.deadline ?? '10s', { option: 'deadline', minMs: 100, maxMs: longestDeadlineMs }),
    filterSets(definition, call) {
      if (definition !== null && !known.has(definition.name)) known.set(definition.name, definition)
      return filterSets(definition, call)
    },
    hasStateFilters: () =>
      anyElects(filterSets(null)) || [...known.values()].some((definition) => anyElects(filterSets(definition))),
    definitionOf: (jobName) => known.get(jobName) ?? null,
    tryDecode(payload) {
      try {
        return wire.decode(payload)
      } catch {
        return undefined
      }
    },
  }
}

type Store = (jobs: readonly NewJob[]) => Promise<Stored>

function enqueuing(core: ClientCore, store: Store): Enqueuing {
  const enqueue = (call: Call, input: unknown): Promise<JobHandle<never>> => {
    const { create } = core.filterSets(call.definition, call.options.filters)
    return create.length === 0
      ? storeOne(core, store, readCall(core, call), input, call.options.id !== undefined)
      : createThroughFilters(core, store, call, input)
  }
  // All are async, so that bad arguments reject like everything else instead of throwing at the call.
  return {
    enqueue: async (job, ...[input, options = {}]) =>
      enqueue({ definition: job as never, options, candidate: plainEnqueued }, input),
    schedule: async (job, input, options) =>
      enqueue({ definition: job as never, options, candidate: scheduled(options) }, input),
    continueWith: async (parents, job, ...[input, options = {}]) =>
      enqueue(continuation(parents, job as never, options), input),
    async enqueueMany(job, inputs, options = {}) {
      const call: Call = { definition: job as never, options, candidate: plainEnqueued }
      const { create } = core.filterSets(call.definition, options.filters)
      if (create.length > 0) return Promise.all(inputs.map((input) => enqueue(call, input)))
      return storeMany(core, store, readCall(core, call), inputs)
    },
  }
}

const plainEnqueued: State = enqueued()

function storeOne(
  core: ClientCore,
  store: Store,
  terms: Terms,
  input: unknown,
  isOwnId: boolean,
): Promise<JobHandle<never>> {
  const building = buildJob(core, terms, input)
  return building instanceof Promise
    ? building.then((built) => storeBuilt(core, store, built, isOwnId))
    : storeBuilt(core, store, building, isOwnId)
}

function storeBuilt(
  core: ClientCore,
  store: Store,
  { job, effects }: Built,
  isOwnId: boolean,
): Promise<JobHandle<never>> {
  return store(effects.length === 0 ? [job] : [job, ...effects]).then(({ outcomes, repeated }) =>
    handleOf(core, job, outcomes[0]!, repeated && !isOwnId),
  )
}

/** Filters may change meta and tags on the way in, and see the outcome on the way out. */
async function createThroughFilters(
  core: ClientCore,
  store: Store,
  call: Call,
  input: unknown,
): Promise<JobHandle<never>> {
  const { definition, options } = call
  const id = options.id ?? newJobId(core.clock)
  const meta = { ...options.meta }
  const tags = [...(tagsOf(definition, options) ?? [])]
  let handle: JobHandle<never> | undefined
  const context = {
    job: { id, name: definition.name, queue: options.queue ?? definition.queue, input, tags, definition },
    meta,
    tags,
    options,
  }
  const set = core.filterSets(definition, options.filters)
  const created = await around<typeof context, Created>(set.create, context, async () => {
    const terms = readCall(core, { ...call, options: { ...options, id } }, meta, tags)
    handle = await storeOne(core, store, terms, input, options.id !== undefined)
    return { id: handle.id, created: handle.created }
  })
  if (handle !== undefined) return handle
  throw new QError(
    'Q_CANCELLED',
    `A create filter kept job "${definition.name}" from being created: it did not call next(). Nothing was stored${created === undefined ? '' : ', whatever it returned'}.`,
  )
}

/** Everything is made before anything is stored, so a refused input refuses the whole call. */
async function storeMany(
  core: ClientCore,
  store: Store,
  terms: Terms,
  inputs: readonly unknown[],
): Promise<JobHandle<never>[]> {
  const jobs: NewJob[] = []
  const effects: NewJob[] = []
  const refused: { readonly index: number; readonly error: QError }[] = []
  for (let index = 0; index < inputs.length; index++) {
    try {
      const building = buildJob(core, terms, inputs[index])
      const built = building instanceof Promise ? await building : building
      jobs.push(built.job)
      if (built.effects.length > 0) effects.push(...built.effects)
    } catch (error) {
      if (!(error instanceof QError)) throw error
      refused.push({ index, error })
    }
  }
  const first = refused[0]
  if (first !== undefined) {
    const others =
      refused.length === 1
        ? ''
        : ` ${refused.length - 1} more were refused: ${refused
            .slice(1, 20)
            .map(({ index }) => `#${index}`)
            .join(', ')}.`
    throw new QError(
      first.error.code,
      `Nothing was stored, because input #${first.index} was refused. ${first.error.message}${others}`,
      { cause: first.error },
    )
  }
  const { outcomes, repeated } = await store(effects.length === 0 ? jobs : [...jobs, ...effects])
  return jobs.map((job, index) => handleOf(core, job, outcomes[index]!, repeated))
}

/** `existsByUs`: with an id nobody else can know, finding it there means that our own first try arrived. */
function handleOf(core: ClientCore, job: NewJob, outcome: CreateOutcome, existsByUs: boolean): JobHandle<never> {
  switch (outcome.ok) {
    case 'created':
      return new Handle(core, job.id, true)
    case 'exists':
      return new Handle(core, job.id, existsByUs)
    case 'duplicate':
      return new Handle(core, job.id, false, outcome.holder)
    case 'orphan':
      throw new QError(
        'Q_UNKNOWN_PARENT',
        `Job "${job.name}" was not stored: its parent ${outcome.missing} is not in storage. It never existed, or its retention has ended.`,
      )
    case 'invalid':
      throw new QError('Q_INPUT_INVALID', `Job "${job.name}" was not stored: ${outcome.reason}.`)
  }
}

const endsOf: Readonly<Record<ParentEnd, readonly FinalPhase[]>> = {
  succeeded: ['succeeded'],
  failed: ['failed'],
  finished: finalPhases,
}

function continuation(
  parents: Parent | readonly Parent[],
  definition: JobDefinition<never, unknown>,
  options: ContinueOptions,
): Call {
  const list = Array.isArray(parents) ? (parents as readonly Parent[]) : [parents as Parent]
  const ids = [...new Set(list.map((parent) => checkJobId(typeof parent === 'string' ? parent : parent?.id)))]
  const { on = 'succeeded', in: delay } = options
  if (ids.length === 0)
    throw new QError(
      'Q_OPTION_INVALID',
      `Job "${definition.name}" has no parent to wait for: give at least one handle or id, or enqueue it.`,
    )
  if (typeof on !== 'string' || !Object.hasOwn(endsOf, on))
    throw new QError('Q_OPTION_INVALID', `\`on\` is "${excerpt(on)}"; it must be 'succeeded', 'failed' or 'finished'.`)
  if (options.id !== undefined && ids.includes(options.id))
    throw new QError('Q_CYCLE', `Job ${options.id} cannot wait for itself: ${options.id} → ${options.id}.`)
  const edges: Edge[] = ids.map((parent) => ({ parent, on: endsOf[on] }))
  return {
    definition,
    options,
    candidate: awaiting(ids, on),
    edges,
    delayMs: delay === undefined ? undefined : parseDuration(delay, 'in'),
  }
}

function enqueueSync(
  core: ClientCore,
  jobs: SynchronousJobsRoom,
  definition: JobDefinition<never, unknown>,
  input: unknown,
  options: EnqueueOptions,
): JobHandle<never> {
  const terms = readCall(core, { definition, options, candidate: plainEnqueued })
  const building = terms.set.create.length > 0 ? null : buildJob(core, terms, input)
  if (building === null || building instanceof Promise) {
    throw new QError(
      'Q_OPTION_INVALID',
      `Job "${definition.name}" cannot be enqueued without waiting: it has ${building === null ? 'create filters' : 'an asynchronous schema or filter'}. Use \`await client.enqueue(…)\`.`,
    )
  }
  const [outcome] = jobs.createSync([building.job, ...building.effects])
  return handleOf(core, building.job, outcome!, false)
}
