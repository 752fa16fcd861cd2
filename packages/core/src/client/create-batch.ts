import type { Clock } from '../clock.ts'
import { QError } from '../errors.ts'
import { persist } from '../storage-calls/persist.ts'
import type { NewJob } from '../storage/job.ts'
import type { CreateOutcome } from '../storage/jobs.ts'
import type { JobStorage } from '../storage/storage.ts'

/** What became of a list of jobs. */
export interface Stored {
  readonly outcomes: readonly CreateOutcome[]
  /** A call had to be repeated after an unclear answer: `exists` may then be our own first try. */
  readonly repeated: boolean
}

interface Waiting {
  readonly jobs: readonly NewJob[]
  resolve(stored: Stored): void
  reject(error: unknown): void
}

/**
 * Group commit for creations: what is asked for while a call is on its way goes out together with the next one. One
 * call is in flight, so jobs enqueued one after the other are stored in that order.
 */
export class CreateBatch {
  readonly #storage: JobStorage
  readonly #clock: Clock
  readonly #deadlineMs: number
  #waiting: Waiting[] = []
  #flushing: Promise<void> | null = null
  #closed = false

  constructor(storage: JobStorage, clock: Clock, deadlineMs: number) {
    this.#storage = storage
    this.#clock = clock
    this.#deadlineMs = deadlineMs
  }

  /** Jobs that must become visible together, or that depend on each other: one call where they fit into one. */
  addAll(jobs: readonly NewJob[]): Promise<Stored> {
    if (jobs.length === 0) return Promise.resolve({ outcomes: [], repeated: false })
    if (this.#closed) return Promise.reject(closedError())
    return new Promise((resolve, reject) => {
      this.#waiting.push({ jobs, resolve, reject })
      this.#flushing ??= this.#flush()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#flushing
  }

  async #flush(): Promise<void> {
    // Everything this turn of the microtask queue still wants to enqueue travels along.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const together = this.#takeTogether()
      const jobs = together.length === 1 ? together[0]!.jobs : together.flatMap((one) => one.jobs)
      try {
        const stored = await this.#store(jobs)
        let at = 0
        for (const { jobs: own, resolve } of together)
          resolve({ outcomes: stored.outcomes.slice(at, (at += own.length)), repeated: stored.repeated })
      } catch (error) {
        for (const { jobs: own, reject } of together) reject(describe(error, own[0]!, jobs.length))
      }
    }
    this.#flushing = null
  }

  /** As many lists as fit into one call, at least one. */
  #takeTogether(): Waiting[] {
    let lists = 0
    for (let jobs = 0; lists < this.#waiting.length; lists++) {
      jobs += this.#waiting[lists]!.jobs.length
      if (lists > 0 && jobs > this.#storage.capabilities.maxBatch) break
    }
    return this.#waiting.splice(0, lists)
  }

  async #store(jobs: readonly NewJob[]): Promise<Stored> {
    const { maxBatch } = this.#storage.capabilities
    if (jobs.length <= maxBatch) return this.#call(jobs)
    const parts: Stored[] = []
    for (let from = 0; from < jobs.length; from += maxBatch)
      parts.push(await this.#call(jobs.slice(from, from + maxBatch)))
    return { outcomes: parts.flatMap(({ outcomes }) => outcomes), repeated: parts.some(({ repeated }) => repeated) }
  }

  async #call(jobs: readonly NewJob[]): Promise<Stored> {
    const { value, repeated } = await persist(this.#clock, this.#deadlineMs, () => this.#storage.jobs.create(jobs))
    return { outcomes: value, repeated }
  }
}

function closedError(): QError {
  return new QError(
    'Q_CLOSED',
    'This client is closed, and the job was not stored. Enqueue before `client.close()`, or make another client.',
  )
}

/** Each caller is told about its own job, not about the call it happened to travel in. */
function describe(error: unknown, job: NewJob, together: number): unknown {
  if (!(error instanceof QError) || together === 1) return error
  return new QError(error.code, `Job ${job.id} ("${job.name}"): ${error.message}`, { cause: error })
}
