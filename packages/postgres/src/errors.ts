import { QError, isQError } from '@q/core/storage'

/** SQL states of our own, raised by the functions. */
const sessionLost = 'QQ001'
const callClosed = 'QQ002'

/** The server ended this before anything was changed, and the same again may well succeed. */
const passing = new Set(['40001', '40P01', '57P01', '57P02', '57P03', '53300', '08001', '08004', '25006'])

/** What PostgreSQL or the socket says, as one of the four codes of a storage. `sent`: the server may have seen the statement. */
export function storageError(error: unknown, sent: boolean): QError {
  if (isQError(error)) return error
  const state = sqlState(error)
  const text = error instanceof Error ? error.message || error.name : String(error)
  if (state === sessionLost) {
    return new QError(
      'Q_SESSION_LOST',
      `PostgreSQL says: ${text}. Nothing was changed and all its claims are void: open a new session that replaces it.`,
      { cause: error },
    )
  }
  if (state === callClosed) {
    return new QError(
      'Q_CALL_CLOSED',
      `PostgreSQL says: ${text}. Nothing was changed: send what is still open under a new number.`,
      { cause: error },
    )
  }
  if (state !== undefined || !sent) {
    return new QError(
      'Q_STORAGE_UNAVAILABLE',
      `PostgreSQL refused the call, so nothing was changed: ${text}. Send it again.`,
      {
        cause: error,
      },
    )
  }
  return new QError(
    'Q_AMBIGUOUS',
    `The connection to PostgreSQL broke while a call was on its way, which may or may not have been applied: ${text}.`,
    { cause: error },
  )
}

/** Certain not to have been applied, and likely to succeed the next time. */
export function isPassing(error: unknown): boolean {
  const state = sqlState(error)
  return state !== undefined && passing.has(state)
}

/** Refused for what was sent, not for the moment at which it was sent. */
export function isRefusedData(error: unknown): boolean {
  const state = sqlState(error instanceof QError ? error.cause : error)
  return state !== undefined && (state.startsWith('22') || state.startsWith('23') || state.startsWith('54'))
}

/** Five characters from the server. Errors of sockets have codes too, but longer ones or with another shape. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const code: unknown = Reflect.get(error, 'code')
  const severity: unknown = Reflect.get(error, 'severity')
  return typeof code === 'string' && typeof severity === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}
