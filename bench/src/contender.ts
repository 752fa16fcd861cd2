/** About 115 bytes of JSON, as an application would pass along. */
export interface Data {
  readonly id: number
  readonly user: string
  readonly action: string
  readonly at: string
}

export function dataOf(id: number): Data {
  return {
    id,
    user: `user-${id % 1000}@example.com`,
    action: 'recalculate-the-invoice',
    at: '2027-01-01T00:00:00.000Z',
  }
}

export type StorageName = 'redis' | 'postgres' | 'sqlite' | 'memory'

/** Where a contender works: a server of its own storage, or a folder for files. */
export interface Place {
  readonly url: string
  readonly folder: string
  /** SQLite only: every acknowledged write survives a power loss. */
  readonly durable: boolean
}

export interface Working {
  stop(): Promise<void>
}

/** What every contender can do, so that all are measured by the same code. */
export interface Bench {
  enqueue(data: Data): Promise<unknown>
  enqueueMany(list: readonly Data[]): Promise<unknown>
  /** Calls `handle` once per job, at most `concurrency` at a time. */
  work(concurrency: number, handle: (data: Data) => void | Promise<void>): Promise<Working>
  /** Jobs that wait or run, as the storage sees it: 0 means that everything is acknowledged. */
  unfinished(): Promise<number>
  close(): Promise<void>
}

export interface Contender {
  readonly name: string
  readonly storage: StorageName
  /** As documented for speed, as installed, or the bare driver as the practical limit. */
  readonly setting: 'best' | 'default' | 'raw'
  /** For who looks for jobs at fixed times: so many tell its pace as well as any number would, in minutes less. */
  readonly mostDrained?: number
  /** Runs one job after the other, whatever concurrency it is asked for. */
  readonly isSerial?: boolean
  open(place: Place): Promise<Bench>
}
