import type { JobDefinition } from '../jobs/define-job.ts'
import type { JobContext } from '../jobs/job-context.ts'
import type { EnqueueOptions } from '../jobs/enqueue-options.ts'
import { checkName } from '../jobs/name.ts'
import type { AnyState, State } from '../states/state.ts'
import type { Gate, JobId } from '../storage/job.ts'

/** The job a filter is asked about. */
export interface FilteredJob {
  readonly id: JobId
  readonly name: string
  readonly queue: string
  readonly input: unknown
  readonly tags: readonly string[]
  /** The definition, where the process knows it; commands on jobs of other programs do not. */
  readonly definition: JobDefinition<never, unknown> | null
}

export interface CreateContext {
  readonly job: FilteredJob
  /** May be changed: stored with the job, readable in its handler. */
  readonly meta: Record<string, unknown>
  readonly tags: string[]
  readonly options: Readonly<EnqueueOptions>
}

/** What became of a creation. */
export interface Created {
  readonly id: JobId
  readonly created: boolean
}

export interface ElectContext {
  readonly job: FilteredJob
  readonly meta: Readonly<Record<string, unknown>>
  /** The state as elected so far. Return another one to replace it. */
  readonly candidate: State
  /** The phase the job leaves; null at its creation. */
  readonly from: string | null
  /** The number of the run that just ended; 0 when none did. */
  readonly attempt: number
  readonly crashes: number
  /** The handler said that no retry can help. */
  readonly rejected: boolean
  readonly random: () => number
}

export interface AppliedContext {
  readonly job: FilteredJob
  readonly meta: Readonly<Record<string, unknown>>
  /** The state entered (`stateApplied`) or left (`stateUnapplied`, where it is known). */
  readonly state: State
  readonly attempt: number
  /** Enqueues a job in the very commit that enters the state: both happen or neither. */
  enqueue<Input, Result>(job: JobDefinition<Input, Result>, input: Input, options?: EnqueueOptions): JobId
}

export interface BusyContext {
  readonly job: FilteredJob
  readonly key: string
  readonly holder: JobId | null
}

/** Runs around something: before it, after it, instead of it. */
export type Around<Context, Value> = (context: Context, next: () => Promise<Value>) => Promise<Value>

/**
 * Changes what happens to jobs. Filters run in the order: global, client or server, definition, call; inside it by
 * `order`. Creation, election and applied states are core's; what a storage enters by itself stands in the history.
 */
export interface Filter {
  readonly name: string
  /** Lower runs further outside. Default 0. */
  readonly order?: number | undefined
  readonly create?: Around<CreateContext, Created> | undefined
  /** A shared limit the job takes part in, decided at its creation. */
  readonly limit?: ((job: FilteredJob) => Gate) | undefined
  /** What becomes of a claimed job whose limit (with `busy: 'tell'`) was taken. The first answer counts; its run is not counted. */
  readonly busy?: ((context: BusyContext) => AnyState | undefined) | undefined
  readonly perform?: Around<JobContext<unknown>, unknown> | undefined
  readonly electState?: ((context: ElectContext) => AnyState | undefined | Promise<AnyState | undefined>) | undefined
  readonly stateApplied?: ((context: AppliedContext) => void) | undefined
  readonly stateUnapplied?: ((context: AppliedContext) => void) | undefined
}

/** A filter that certainly has this hook. */
export type FilterWith<Hook extends keyof Filter> = Filter & { readonly [K in Hook]: NonNullable<Filter[K]> }

/**
 * @example
 * const audit = defineFilter({ name: 'audit', create: async (ctx, next) => { ctx.meta.by ??= currentUser(); return next() } })
 */
export function defineFilter(filter: Filter): Filter {
  checkName('filter name', filter.name)
  return Object.freeze({ ...filter })
}

const globalFilters: Filter[] = []

/** Adds a filter for every client and server of this process; call what it returns to take it out again. */
export function addGlobalFilter(filter: Filter): () => void {
  globalFilters.push(filter)
  version++
  return () => {
    const at = globalFilters.indexOf(filter)
    if (at >= 0) globalFilters.splice(at, 1)
    version++
  }
}

let version = 0

/** Grows when a global filter comes or goes, so that sorted lists can be kept. */
export function globalFiltersVersion(): number {
  return version
}

/** All filters that apply, in the order they run. A stable sort keeps the scopes in order among equals. */
export function orderFilters(...scopes: readonly (readonly Filter[] | undefined)[]): readonly Filter[] {
  const all = [...globalFilters, ...scopes.flatMap((scope) => scope ?? [])]
  return all.sort((a, b) => (a.order ?? 0) - (b.order ?? 0))
}

/** One function around `innermost`: the filters from the outside in. A `next` called twice runs nothing twice. */
export function around<Context, Value>(
  layers: readonly Around<Context, Value>[],
  context: Context,
  innermost: () => Promise<Value>,
): Promise<Value> {
  const enter = (depth: number): Promise<Value> => {
    const layer = layers[depth]
    if (layer === undefined) return innermost()
    let entered: Promise<Value> | undefined
    return layer(context, () => (entered ??= enter(depth + 1)))
  }
  return enter(0)
}
