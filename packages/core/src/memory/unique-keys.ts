import type { Ms } from '../storage/job.ts'
import type { Rules } from './rules.ts'
import type { StoredJob } from './job.ts'

/** One owner per key. Only the owner frees it; past its ttl it is there for the taking. */
export class UniqueKeys {
  readonly #rules: Rules
  readonly #owners = new Map<string, StoredJob>()

  constructor(rules: Rules) {
    this.#rules = rules
  }

  holder(key: string, now: Ms): StoredJob | undefined {
    const owner = this.#owners.get(key)
    const expiresAt = owner?.rare?.key?.expiresAt
    return expiresAt !== undefined && expiresAt <= now ? undefined : owner
  }

  take(job: StoredJob): void {
    const key = job.rare?.key
    if (key !== undefined) this.#owners.set(key.key, job)
  }

  free(job: StoredJob): void {
    const key = job.rare?.key?.key
    if (key === undefined) return
    const owner = this.#owners.get(key)
    if (owner !== undefined && this.#rules.mayFreeKey(owner.id, job.id)) this.#owners.delete(key)
  }

  /** The other job that keeps this one from leaving its final phase; it needs its key again if that is held until then. */
  rival(job: StoredJob, now: Ms): StoredJob | undefined {
    if (!this.#needsKeyAgain(job, now)) return undefined
    const holder = this.holder(job.rare!.key!.key, now)
    return holder === job ? undefined : holder
  }

  takeAgain(job: StoredJob, now: Ms): void {
    if (this.#needsKeyAgain(job, now)) this.take(job)
  }

  #needsKeyAgain(job: StoredJob, now: Ms): boolean {
    const key = job.rare?.key
    return key?.until === 'final' && (key.expiresAt === undefined || key.expiresAt > now)
  }
}
