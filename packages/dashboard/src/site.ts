import type { BaseClient } from '@q/core'
import type { Operations } from './commands/operations.ts'
import type { Ticker } from './live/ticker.ts'
import type { Reader } from './reads/reader.ts'

/** One storage, as this dashboard knows it. */
export interface Site {
  readonly name: string
  readonly client: BaseClient
  readonly reader: Reader
  readonly operations: Operations
  readonly ticker: Ticker
}
