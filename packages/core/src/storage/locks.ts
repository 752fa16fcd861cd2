import type { Ms } from './job.ts'

export interface LockGrant {
  readonly name: string
  readonly owner: string
  /** Grows with every grant of this name: hand it to what the lock protects, and refuse smaller ones there. */
  readonly fence: number
  readonly expiresAt: Ms
}

export interface LocksRoom {
  /** `owner` is random per attempt to lock, made by the client. The same owner again renews, fence unchanged. Null = held by another. */
  acquire(name: string, owner: string, ttl: Ms): Promise<LockGrant | null>
  /** Only the owner unlocks; false = it was not the owner any more. */
  release(name: string, owner: string): Promise<boolean>
}
