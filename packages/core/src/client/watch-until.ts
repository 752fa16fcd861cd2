import { sleep } from '../clock.ts'
import { type QError, isQError } from '../errors.ts'
import { jittered } from '../storage-calls/persist.ts'
import type { Topic } from '../storage/wakeups.ts'
import type { ClientCore } from './client-core.ts'

export interface WatchOptions {
  readonly signal?: AbortSignal | undefined
  /** How long to look, and what to throw then. Without it for ever. */
  readonly timeout?: { readonly ms: number; readonly error: () => QError } | undefined
}

const firstPollMs = 50
const longestPollMs = 2000

/**
 * Looks again whenever a topic may have changed, until `look` has an answer. Hints may be lost, so it also looks by
 * itself, less and less often; and it outlives a storage that is away.
 */
export async function watchUntil<T>(
  core: ClientCore,
  topic: Topic,
  look: () => Promise<T | undefined>,
  options: WatchOptions = {},
): Promise<T> {
  const { signal, timeout } = options
  if (timeout === undefined) return lookUntil(core, topic, look, signal)
  const ends = new AbortController()
  const timer = core.clock.timer(timeout.ms, () => ends.abort(timeout.error()))
  const onAbort = (): void => ends.abort(signal!.reason)
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await lookUntil(core, topic, look, ends.signal)
  } finally {
    timer.cancel()
    signal?.removeEventListener('abort', onAbort)
  }
}

async function lookUntil<T>(
  core: ClientCore,
  topic: Topic,
  look: () => Promise<T | undefined>,
  signal: AbortSignal | undefined,
): Promise<T> {
  signal?.throwIfAborted()
  const first = await look()
  if (first !== undefined) return first
  let wake: () => void = () => undefined
  let woken = false
  const watch = await core.storage.wakeups
    .watch([topic], () => {
      woken = true
      wake()
    })
    .catch(() => null)
  try {
    for (let pollMs = firstPollMs; ; pollMs = Math.min(pollMs * 2, longestPollMs)) {
      woken = false
      const found = await look().catch(outlast)
      if (found !== undefined) return found
      if (woken) continue
      await waitForWake(core, jittered(core.clock, pollMs), signal, (set) => (wake = set))
      signal?.throwIfAborted()
    }
  } finally {
    await watch?.close().catch(() => undefined)
  }
}

async function waitForWake(
  core: ClientCore,
  ms: number,
  signal: AbortSignal | undefined,
  onWake: (wake: () => void) => void,
): Promise<void> {
  if (signal?.aborted) return
  const early = new AbortController()
  const stop = (): void => early.abort()
  onWake(stop)
  signal?.addEventListener('abort', stop, { once: true })
  await sleep(core.clock, ms, early.signal).catch(() => undefined)
  signal?.removeEventListener('abort', stop)
}

function outlast(error: unknown): undefined {
  if (isQError(error, 'Q_STORAGE_UNAVAILABLE') || isQError(error, 'Q_AMBIGUOUS')) return undefined
  throw error
}
