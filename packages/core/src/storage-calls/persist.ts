import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'
import { QError, isQError } from '../errors.ts'

const firstWaitMs = 20
const longestWaitMs = 1000

/**
 * Makes a call that is safe to repeat, and repeats it after an unclear answer until a clear one comes or the deadline
 * has passed. A call that was certainly not applied fails at once: storages wait out short outages themselves.
 */
export async function persist<T>(
  clock: Clock,
  deadlineMs: number,
  call: () => Promise<T>,
): Promise<{ readonly value: T; readonly repeated: boolean }> {
  const startedAt = clock.monotonic()
  let ambiguous: unknown
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    try {
      return { value: await call(), repeated: ambiguous !== undefined }
    } catch (error) {
      if (isQError(error, 'Q_AMBIGUOUS')) ambiguous = error
      else if (ambiguous === undefined || !isQError(error, 'Q_STORAGE_UNAVAILABLE')) throw error
      const leftMs = deadlineMs - (clock.monotonic() - startedAt)
      if (leftMs <= 0) throw giveUp(ambiguous, deadlineMs)
      await sleep(clock, Math.min(leftMs, jittered(clock, waitMs)))
    }
  }
}

/** Between half and the whole of it: many who failed together do not come back together. */
export function jittered(clock: Clock, ms: number): number {
  return ms / 2 + (ms / 2) * clock.random()
}

function giveUp(ambiguous: unknown, deadlineMs: number): QError {
  return new QError(
    'Q_AMBIGUOUS',
    `The storage did not say whether it stored the job, and ${Math.round(deadlineMs / 1000)} s of asking again got no answer. Repeat the call with the same id: a job that is there is not stored twice.`,
    { cause: ambiguous },
  )
}
