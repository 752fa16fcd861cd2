import type { Answer } from './connection.ts'
import type { Keys } from './keys.ts'
import type { Packable } from './msgpack.ts'
import type { Script } from './scripts/script.ts'

/** What the rooms ask of the connections behind them. Every call starts the storage if it is not. */
export interface Database {
  readonly keys: Keys
  readonly maxBatch: number
  readonly maxPayload: number
  /** How wake-ups are sent: within a shard where the server is a cluster that can. */
  publishCommand(): string
  /** An operation on the main connection. */
  run<Args extends Packable>(script: Script<Args>, args: Args): Promise<Answer>
  /** The same on a connection of its own, for heartbeats: answered while the main one is stalled. */
  pulse<Args extends Packable>(script: Script<Args>, args: Args): Promise<Answer>
  /** An operation that only reads, on the connection for people. */
  look<Args extends Packable>(script: Script<Args>, args: Args): Promise<Answer>
  read(command: string, ...args: (string | number | Buffer)[]): Promise<Answer>
}
