import { QError, isQError } from '@q/core/storage'

/** Whether somebody else was just writing: nothing has happened, and coming again is all there is to do. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error)
  return code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED') || code === 'SQLITE_PROTOCOL'
}

/** Whether every other operation would meet the same fate: the disk, the file or the memory is the trouble, not the data. */
export function isOutage(error: unknown): boolean {
  return outages.some((outage) => codeOf(error).startsWith(outage)) || isBusy(error)
}

const outages = [
  'SQLITE_FULL',
  'SQLITE_IOERR',
  'SQLITE_READONLY',
  'SQLITE_CORRUPT',
  'SQLITE_NOTADB',
  'SQLITE_CANTOPEN',
  'SQLITE_NOMEM',
]

/** A driver's error as ours. Whatever failed before its COMMIT was rolled back, so it is certainly not applied. */
export function storageError(error: unknown, path: string): QError {
  if (isQError(error)) return error
  return new QError('Q_STORAGE_UNAVAILABLE', `${whatHappened(codeOf(error), path, error)} Nothing was changed.`, {
    cause: error,
  })
}

/** The COMMIT itself failed. When the disk did not answer, nobody knows what is on it. */
export function commitError(error: unknown, path: string): QError {
  if (!codeOf(error).startsWith('SQLITE_IOERR')) return storageError(error, path)
  return new QError(
    'Q_AMBIGUOUS',
    `The disk failed while "${path}" was being written (${codeOf(error)}): the last changes may be there or not. Check the disk, then repeat the call.`,
    { cause: error },
  )
}

function whatHappened(code: string, path: string, error: unknown): string {
  if (code.startsWith('SQLITE_FULL')) return `No space is left for "${path}". Free some: work goes on by itself.`
  if (code.startsWith('SQLITE_READONLY'))
    return `"${path}" cannot be written by this process. Give it write access to the file and its folder.`
  if (code.startsWith('SQLITE_NOTADB'))
    return `"${path}" is not a SQLite database. Name another file, or move this one away.`
  if (code.startsWith('SQLITE_CORRUPT'))
    return `"${path}" is damaged. Stop its servers, then restore a backup or save what is left with ".recover".`
  if (code.startsWith('SQLITE_CANTOPEN'))
    return `"${path}" cannot be opened. Check that its folder exists and may be written.`
  if (code.startsWith('SQLITE_IOERR'))
    return `The disk under "${path}" answered with an error (${code}). Check the disk.`
  if (isBusy(error))
    return `Others have been writing to "${path}" all the time. Look for a transaction that stays open.`
  if (error instanceof TypeError && error.message.includes('directory'))
    return `The folder of "${path}" does not exist. Make it first.`
  return `SQLite refused to work on "${path}": ${error instanceof Error ? error.message : String(error)}.`
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : ''
}
