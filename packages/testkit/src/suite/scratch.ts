import type { JobStorage } from '@q/core/storage'
import type { ChildOrigin } from '../faults/child.ts'

/** Gives a storage with nothing in it: a fresh schema, file or key prefix. Called once for every case. */
export type OpenScratch = (options?: ScratchOptions) => Promise<ScratchStorage> | ScratchStorage

export interface ScratchOptions {
  /** The case is about starting: nobody may have started in this namespace before. Others may get one that was emptied. */
  readonly cold?: boolean | undefined
}

/**
 * A storage of its own for one case, and what the suite may do to it. Only the first four members are needed; every
 * further one lets the suite prove more of the same cases.
 */
export interface ScratchStorage {
  /** Not started yet: some cases are about starting. */
  readonly storage: JobStorage
  /** Another, independent instance on the same data, as another process would open it. Absent where that cannot exist. */
  another?(): JobStorage
  /** An instance in another namespace of the same server, folder or process. */
  elsewhere(): JobStorage
  /** Closes nothing the suite opened; removes what the case left behind. */
  dispose(): Promise<void>
  /** For storages that are told what time it is. The others live on their own clock, and the suite polls. */
  readonly clock?: { advance(ms: number): void | Promise<void> }
  /** Where the server listens, and the same data opened through another address: the suite puts a faulty line between. */
  readonly network?: {
    readonly host: string
    readonly port: number
    via(address: { readonly host: string; readonly port: number }): JobStorage
  }
  /** How a child process opens the same data: processes can then be killed and frozen. */
  readonly child?: ChildOrigin
  /** A server of its own that may be killed, with an empty namespace. */
  restartable?(): Promise<RestartableServer>
  /** For storages with `transactionalCreate`: a transaction of the caller on the same database. */
  transaction?(): Promise<ScratchTransaction>
}

export interface RestartableServer {
  open(): JobStorage
  /** As a power cut for the server: no goodbye. */
  kill(): Promise<void>
  /** Starts it again on the same data and address. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export interface ScratchTransaction {
  /** What `within` is given. */
  readonly tx: unknown
  commit(): Promise<void>
  rollback(): Promise<void>
}
