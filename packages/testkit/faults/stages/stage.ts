import type { JobStorage } from '@q/core/storage'
import type { Target } from '../programs/target.ts'

/** A storage of its own for one run of the fleet, with a server that can be killed where it has one. */
export interface Stage extends AsyncDisposable {
  readonly label: string
  /** So much of what was acknowledged before a crash of the server may be gone; 0 = nothing. */
  readonly lossMs: number
  /** Where a proxy can stand between processes and server. Absent: there is no line that could break. */
  readonly address?: { readonly host: string; readonly port: number } | undefined
  /** How processes reach it: directly, or through a proxy on that port. */
  target(proxyPort?: number): Target
  /** For the one who checks. */
  open(): Promise<JobStorage>
  /** Whether somebody can write now: a process that stands still in the middle of a commit keeps everyone out of a file. */
  isWritable?(): Promise<boolean>
  /** SIGKILL to the server and all its children, then a start on the same data. */
  restart?(downMs: number): Promise<void>
}

/** One server, and a stage of its own on it for every test. */
export interface Host extends AsyncDisposable {
  stage(): Promise<Stage>
}
