import type { Counts, JobQuery, JobSummary, Page } from '@q/core/storage'
import type { Reader } from '../reads/reader.ts'
import { countOf, type JobStateName, jobStates } from './job-states.ts'

/** How many jobs match: exactly, or at least. */
export interface Matching {
  readonly value: number
  readonly exact: boolean
}

/** Storages find these by an index; anything else is looked for job by job. */
const indexed: ReadonlySet<keyof JobQuery> = new Set([
  'phase',
  'name',
  'queue',
  'tag',
  'error',
  'session',
  'parent',
  'recurring',
])
const countedUpTo = 1000

/** Counters know how many are in a state, an index is counted up to a bound, and of what has to be searched only the page is known. */
export async function countMatching(
  reader: Reader,
  query: JobQuery,
  states: readonly JobStateName[] | undefined,
  counts: Counts,
  page: Page<JobSummary>,
): Promise<Matching> {
  const fields = Object.keys(query) as (keyof JobQuery)[]
  const onlyRetrying = states?.every((state) => state === 'retrying') === true && query.minAttempt === 1
  const isOfStates = fields.every((field) => field === 'phase' || (onlyRetrying && field === 'minAttempt'))
  const isMixed = !onlyRetrying && states?.includes('retrying') === true
  if (isOfStates && !isMixed && counts.exact) {
    return { value: (states ?? allStates).reduce((sum, state) => sum + countOf(state, counts), 0), exact: true }
  }
  if (fields.every((field) => indexed.has(field))) return reader.count(query, countedUpTo)
  return { value: page.items.length, exact: page.next === undefined }
}

/** Those that retry are among the scheduled. */
const allStates = jobStates.filter((state) => state !== 'retrying')
