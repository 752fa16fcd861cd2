import type { JobId, Ms, Occurrence, SessionId } from '../storage/job.ts'
import { isFinalPhase } from '../storage/job.ts'
import type { QueryFacts } from '../storage/matches-query.ts'
import { previewOf } from '../storage/preview.ts'
import type { StoredJob } from './job.ts'

/** A job as queries see it. A page may look at a hundred thousand of them, so nothing is made before it is asked for. */
export class JobFacts implements QueryFacts {
  readonly #job: StoredJob
  readonly state: QueryFacts['state']

  constructor(job: StoredJob) {
    const { state, at } = job.state
    this.#job = job
    this.state = { name: state.name, phase: state.phase, at, error: state.error }
  }

  get id(): JobId {
    return this.#job.id
  }

  get queue(): string {
    return this.#job.lane.queue.name
  }

  get name(): string {
    return this.#job.lane.name
  }

  get tags(): readonly string[] {
    return this.#job.tags
  }

  get preview(): string | undefined {
    return this.#job.preview ?? previewOf(this.#job.payload)
  }

  get attempt(): number {
    return this.#job.attempt
  }

  get createdAt(): Ms {
    return this.#job.createdAt
  }

  get waitedMs(): Ms | undefined {
    return this.#job.waitedMs
  }

  get ranMs(): Ms | undefined {
    return this.#job.ranMs
  }

  get lastError(): string | undefined {
    return isFinalPhase(this.state.phase) ? undefined : this.#job.rare?.lastError
  }

  get recurring(): Occurrence | undefined {
    return this.#job.recurring
  }

  get session(): SessionId | undefined {
    return this.#job.claim?.session.id
  }

  get parents(): readonly JobId[] | undefined {
    return this.#job.rare?.family?.parents
  }
}
