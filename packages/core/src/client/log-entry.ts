import type { LogLine } from '../storage/monitor.ts'
import type { ClientCore } from './client-core.ts'

/** One line a run wrote. */
export interface LogEntry {
  /** Numbered from 1 for the whole job. */
  readonly n: number
  readonly at: Date
  readonly attempt: number
  readonly level: string
  readonly text: string
  readonly fields: Readonly<Record<string, unknown>> | undefined
}

/** A line that cannot be read is shown as it is, never as a failure of the page. */
export function readLogEntry(core: Pick<ClientCore, 'tryDecode'>, line: LogLine): LogEntry {
  const decoded = core.tryDecode(line.text)
  const [level, text, fields] = Array.isArray(decoded) ? (decoded as unknown[]) : []
  return {
    n: line.n,
    at: new Date(line.at),
    attempt: line.attempt,
    level: typeof level === 'string' ? level : 'info',
    text: typeof text === 'string' ? text : String(decoded),
    fields: typeof fields === 'object' && fields !== null ? (fields as Record<string, unknown>) : undefined,
  }
}
