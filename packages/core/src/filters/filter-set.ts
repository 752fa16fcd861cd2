import type { JobDefinition } from '../jobs/define-job.ts'
import type { JobContext } from '../jobs/job-context.ts'
import { automaticRetry, retryFilterName } from './automatic-retry.ts'
import type { Around, CreateContext, Created, Filter, FilterWith } from './filter.ts'
import { globalFiltersVersion, orderFilters } from './filter.ts'

/** The filters of one job, sorted once and split by what they do, so that a job without them pays for none. */
export interface FilterSet {
  readonly create: readonly Around<CreateContext, Created>[]
  readonly perform: readonly Around<JobContext<unknown>, unknown>[]
  readonly limits: readonly FilterWith<'limit'>[]
  readonly busy: readonly FilterWith<'busy'>[]
  readonly elect: readonly FilterWith<'electState'>[]
  readonly applied: readonly FilterWith<'stateApplied'>[]
  readonly unapplied: readonly FilterWith<'stateUnapplied'>[]
}

/** Gives the filter set of a definition (null = an unknown job) under the filters of a client or server. */
export type FilterSets = (definition: JobDefinition<never, unknown> | null, call?: readonly Filter[]) => FilterSet

/** `runs`: these sets are for the ends of runs, where every job that says nothing else is retried. */
export function createFilterSets(own: readonly Filter[] = [], options: { readonly runs?: boolean } = {}): FilterSets {
  let version = -1
  let sets = new Map<JobDefinition<never, unknown> | null, FilterSet>()
  const make = (definition: JobDefinition<never, unknown> | null, call?: readonly Filter[]): FilterSet => {
    const ordered = orderFilters(own, definition?.filters, call)
    return split(options.runs ? withRetry(definition, ordered) : ordered)
  }
  return (definition, call) => {
    if (call !== undefined && call.length > 0) return make(definition, call)
    if (version !== globalFiltersVersion()) {
      version = globalFiltersVersion()
      sets = new Map()
    }
    let set = sets.get(definition)
    if (set === undefined) sets.set(definition, (set = make(definition)))
    return set
  }
}

/** What the definition says of retries counts; else an `automaticRetry` among the filters; else the defaults. */
function withRetry(definition: JobDefinition<never, unknown> | null, filters: readonly Filter[]): readonly Filter[] {
  const retry = definition?.options.retry
  const others = filters.filter(({ name }) => name !== retryFilterName)
  if (retry === false) return others
  if (retry !== undefined) return orderLast(others, automaticRetry(retry))
  return others.length < filters.length ? filters : orderLast(others, automaticRetry())
}

function orderLast(filters: readonly Filter[], retry: Filter): readonly Filter[] {
  return [...filters, retry].sort((a, b) => (a.order ?? 0) - (b.order ?? 0))
}

function split(filters: readonly Filter[]): FilterSet {
  return {
    create: filters.flatMap((filter) => filter.create ?? []),
    perform: filters.flatMap((filter) => filter.perform ?? []),
    limits: filters.filter((filter): filter is FilterWith<'limit'> => filter.limit !== undefined),
    busy: filters.filter((filter): filter is FilterWith<'busy'> => filter.busy !== undefined),
    elect: filters.filter((filter): filter is FilterWith<'electState'> => filter.electState !== undefined),
    applied: filters.filter((filter): filter is FilterWith<'stateApplied'> => filter.stateApplied !== undefined),
    unapplied: filters.filter((filter): filter is FilterWith<'stateUnapplied'> => filter.stateUnapplied !== undefined),
  }
}
