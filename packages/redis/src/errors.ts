import { QError } from '@q/core/storage'

/** Answers of a server that is starting, failing over or being resharded: nothing was done, and it passes. */
const passing: ReadonlySet<string> = new Set([
  'READONLY',
  'LOADING',
  'MASTERDOWN',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'MOVED',
  'ASK',
  'BUSY',
  'NOREPLICAS',
])

/** What ioredis says when it did not even try to send. These errors carry no code, so their text has to do. */
const unsent: readonly string[] = [
  "Stream isn't writeable",
  "Cluster isn't ready",
  'None of startup nodes is available',
  'Failed to refresh slots cache',
]

/** The first word of a server's error answer; null when the server did not answer. Redis 6 wraps what a script met. */
export function answerCode(error: unknown): string | null {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return null
  const wrapped = /@user_script: ?\d+: -?([A-Z]+)\b/.exec(error.message)
  return wrapped?.[1] ?? error.message.split(' ', 1)[0]!
}

export function isPassing(error: unknown): boolean {
  const code = answerCode(error)
  return code !== null && passing.has(code)
}

/** A driver's error as one of the four codes of the contract. In doubt, ambiguous. */
export function toQError(error: unknown, operation: string): QError {
  if (error instanceof QError) return error
  const cause = { cause: error }
  const text = error instanceof Error ? error.message : String(error)
  const code = answerCode(error)
  switch (code) {
    case null:
      return unsent.some((start) => text.startsWith(start))
        ? new QError(
            'Q_STORAGE_UNAVAILABLE',
            `Redis cannot be reached for "${operation}": nothing was sent, try again later.`,
            cause,
          )
        : new QError(
            'Q_AMBIGUOUS',
            `The connection to Redis was lost before "${operation}" was answered (${text}).`,
            cause,
          )
    case 'QLOST':
      return new QError(
        'Q_SESSION_LOST',
        'The session was recovered, has ended or never was: all its claims are void. Open another.',
        cause,
      )
    case 'QCLOSED':
      return new QError(
        'Q_CALL_CLOSED',
        'This call was closed, or a later one was seen: nothing was applied. Go on with a higher number.',
        cause,
      )
    case 'OOM':
      return new QError(
        'Q_STORAGE_UNAVAILABLE',
        `Redis is out of memory and refused "${operation}": nothing was stored. Raise maxmemory, or shorten the retention of finished jobs.`,
        cause,
      )
    case 'MISCONF':
      return new QError(
        'Q_STORAGE_UNAVAILABLE',
        `Redis cannot write to its disk and refused "${operation}": nothing was stored. Free space, then see its log. (${text})`,
        cause,
      )
    case 'NOAUTH':
    case 'WRONGPASS':
    case 'NOPERM':
      return new QError(
        'Q_STORAGE_UNAVAILABLE',
        `Redis refused "${operation}": ${text}. Check user, password and its rights.`,
        cause,
      )
    default:
      return isPassing(error)
        ? new QError(
            'Q_STORAGE_UNAVAILABLE',
            `Redis is not ready for "${operation}": ${text}. Nothing was applied, try again later.`,
            cause,
          )
        : new QError('Q_AMBIGUOUS', `Redis failed in "${operation}": ${text}`, cause)
  }
}
