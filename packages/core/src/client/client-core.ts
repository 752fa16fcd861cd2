import type { Clock } from '../clock.ts'
import type { Wire } from '../codec/wire.ts'
import type { FilterSets } from '../filters/filter-set.ts'
import type { JobDefinition } from '../jobs/define-job.ts'
import type { Logger } from '../logger.ts'
import type { JobStorage } from '../storage/storage.ts'
import type { Payload } from '../storage/job.ts'
import type { Maker } from './build-job.ts'

/** What the parts of a client share. */
export interface ClientCore extends Maker {
  readonly storage: JobStorage
  readonly wire: Wire
  readonly clock: Clock
  readonly logger: Logger
  readonly filterSets: FilterSets
  readonly by: string | undefined
  /** How long an unclear answer is asked about. */
  readonly deadlineMs: number
  /** Whether anybody takes part in elections at all. */
  hasStateFilters(): boolean
  /** The definition of a name, as far as this process has met it. */
  definitionOf(name: string): JobDefinition<never, unknown> | null
  /** For display: what cannot be read is undefined. */
  tryDecode(payload: Payload): unknown
}
