import type { Logger } from '@q/core'

/** What people at a terminal want to read: one line each, warnings and errors with what belongs to them. */
export const consoleLogger: Logger = {
  debug: () => undefined,
  info: (message) => console.log(message),
  warn: (message, fields) => console.warn(message, fields ?? ''),
  error: (message, fields) => console.error(message, fields ?? ''),
}
