import { acquire, release } from './scripts/locks.ts'
import type { LocksRoom } from '@q/core/storage'
import type { Database } from './database.ts'

export function createLocks(db: Database): LocksRoom {
  return {
    async acquire(name, owner, ttl) {
      const answer = await db.run(acquire, { name, owner, ttl: Math.max(1, Math.ceil(ttl)) })
      if (!Array.isArray(answer)) return null
      const [fence, expiresAt] = answer.map(Number)
      return { name, owner, fence: fence!, expiresAt: expiresAt! }
    },
    async release(name, owner) {
      return (await db.run(release, { name, owner, publish: db.publishCommand() })) === 1
    },
  }
}
