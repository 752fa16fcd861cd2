import type { Backoff, RetryOptions } from '../jobs/retry.ts'
import { exponential, isRetryable } from '../jobs/retry.ts'
import { deleted } from '../states/deleted.ts'
import type { ElectContext, Filter } from './filter.ts'
import type { AnyState } from '../states/state.ts'

const defaultAttempts = 10

/** Runs a failed job again, after a growing wait, until its attempts are used up. Every job has it: give options to change them. */
export function automaticRetry(options: RetryOptions = {}): Filter {
  const { attempts = defaultAttempts, backoff = exponential(), onExceeded = 'fail' } = options
  return {
    name: retryFilterName,
    // After everybody else had a say: it decides about what is still a failure.
    order: 1000,
    electState: (context) => electAfterFailure(context, { ...options, attempts, backoff, onExceeded }),
  }
}

export const retryFilterName = 'automaticRetry'

interface Decided {
  readonly attempts: number
  readonly backoff: Backoff
  readonly onExceeded: 'fail' | 'delete'
}

function electAfterFailure(
  { candidate, attempt, random, rejected }: ElectContext,
  options: RetryOptions & Decided,
): AnyState | undefined {
  if (candidate.name !== 'failed' || attempt === 0 || rejected) return undefined
  const { error } = candidate
  if (!isRetryable(error, options)) return undefined
  if (attempt >= options.attempts) {
    return options.onExceeded === 'delete' ? deleted(`failed ${attempt} times: ${messageOf(error)}`) : undefined
  }
  const delayMs = Math.max(0, options.backoff(attempt, error, random))
  const reason = `attempt ${attempt + 1} of ${options.attempts}`
  return delayMs === 0 ? { name: 'enqueued', reason } : ({ name: 'scheduled', reason, delayMs } as AnyState)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
