import type { Connections } from './connection.ts'
import type { Names } from './names.ts'
import type { Pokes } from './pokes.ts'

/** What every room works with. */
export interface Room {
  readonly connections: Connections
  readonly names: Names
  readonly pokes: Pokes
  /** Runs a call once the storage has started, and keeps `close` waiting for it. */
  enter<T>(body: () => Promise<T>): Promise<T>
}
