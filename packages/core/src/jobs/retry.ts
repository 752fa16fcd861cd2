import type { Duration } from '../schedule/duration.ts'
import { parseDuration } from '../schedule/duration.ts'

export type Jitter = 'full' | 'equal' | 'none'

/** How long to wait before the next run. `attempt` is the number of the run that failed, from 1. */
export type Backoff = (attempt: number, error: unknown, random: () => number) => number

type ErrorClass = abstract new (...args: never[]) => unknown

export interface RetryOptions {
  /** Runs, the first included. Default 10. */
  readonly attempts?: number | undefined
  /** Default `exponential()`: 1 s, doubling, at most an hour, full jitter. */
  readonly backoff?: Backoff | undefined
  /** What becomes of a job whose attempts are used up. Default 'fail'. */
  readonly onExceeded?: 'fail' | 'delete' | undefined
  /** Only these errors are tried again; classes, or names of errors. */
  readonly on?: readonly (ErrorClass | string)[] | undefined
  /** These errors are not tried again. */
  readonly except?: readonly (ErrorClass | string)[] | undefined
}

/** `base`, then `factor` times as long each time, never above `max`. */
export function exponential(
  options: {
    readonly base?: Duration
    readonly factor?: number
    readonly max?: Duration
    readonly jitter?: Jitter
  } = {},
): Backoff {
  const base = parseDuration(options.base ?? '1s', 'backoff base')
  const max = parseDuration(options.max ?? '1h', 'backoff max')
  const { factor = 2, jitter = 'full' } = options
  return (attempt, _error, random) =>
    spread(Math.min(max, base * Math.min(factor ** (attempt - 1), Number.MAX_SAFE_INTEGER)), jitter, random)
}

/** The same wait each time. */
export function fixed(delay: Duration, options: { readonly jitter?: Jitter } = {}): Backoff {
  const ms = parseDuration(delay, 'backoff delay')
  return (_attempt, _error, random) => spread(ms, options.jitter ?? 'none', random)
}

/** One wait after another; the last one repeats. */
export function list(delays: readonly Duration[]): Backoff {
  const waits = delays.map((delay) => parseDuration(delay, 'backoff delay'))
  return (attempt) => waits[Math.min(attempt, waits.length) - 1] ?? 0
}

function spread(ms: number, jitter: Jitter, random: () => number): number {
  if (jitter === 'none') return Math.round(ms)
  return Math.round(jitter === 'full' ? ms * random() : ms / 2 + (ms / 2) * random())
}

/** Whether this error is one the options let be tried again. */
export function isRetryable(error: unknown, options: RetryOptions): boolean {
  if (options.except?.some((kind) => isKind(error, kind))) return false
  return options.on === undefined || options.on.some((kind) => isKind(error, kind))
}

function isKind(error: unknown, kind: ErrorClass | string): boolean {
  return typeof kind === 'string' ? error instanceof Error && error.name === kind : error instanceof kind
}
