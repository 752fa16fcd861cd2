import type { BaseClient } from '@q/core'
import type { PostOffice, TourJobs } from './tour-jobs.ts'

/** What every stop of the tour works with. */
export interface Tour {
  readonly client: BaseClient
  readonly jobs: TourJobs
  readonly post: PostOffice
  readonly queue: string
  /** Tells what came out. */
  say(text: string): void
}

export interface Stop {
  readonly title: string
  /** The call this stop is about, as one would write it. */
  readonly code: string
  take(tour: Tour): Promise<void>
}

/** Nothing on the tour takes longer; whoever waits longer is told so, instead of waiting for ever. */
export const patience = { timeout: '30s' } as const
