import type { ElectContext, Filter, FilterWith } from '../filters/filter.ts'
import type { AnyState, State } from './state.ts'

/** What an election came to: the state to enter, and those passed through on the way, oldest first. */
export interface Elected {
  readonly state: State
  readonly via: readonly State[]
}

type Electing = readonly FilterWith<'electState'>[]

/**
 * Filters elect the state a job enters. Each sees the candidate as the one before left it; a replaced candidate is
 * passed through, so that the history shows the failure behind a retry and who decided it.
 */
export function elect(filters: Electing, context: ElectContext): Elected | Promise<Elected> {
  return filters.length === 0 ? { state: context.candidate, via: [] } : ask(filters, 0, context, [])
}

function ask(filters: Electing, from: number, context: ElectContext, via: State[]): Elected | Promise<Elected> {
  let current = context
  for (let n = from; n < filters.length; n++) {
    const filter = filters[n]!
    const answer = filter.electState(current)
    if (isPromise(answer)) {
      return Promise.resolve(answer).then((state) => ask(filters, n + 1, replace(filter, current, state, via), via))
    }
    current = replace(filter, current, answer, via)
  }
  return { state: current.candidate, via }
}

function replace(filter: Filter, context: ElectContext, elected: AnyState | undefined, via: State[]): ElectContext {
  if (elected === undefined || elected === context.candidate) return context
  // Only an end is worth passing through: a job that was going to be enqueued and is now scheduled was never enqueued.
  if (context.candidate.name === 'failed') via.push(context.candidate)
  const state = elected.reason === undefined ? { ...elected, reason: `elected by ${filter.name}` } : elected
  return { ...context, candidate: state as State }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
