import type { LocksRoom } from '@q/core/storage'
import { storable } from './payload.ts'
import type { Room } from './room.ts'
import { acquireLock, releaseLock } from './statements/locks.ts'
import { lockTopic } from './wakeups.ts'

export function createLocksRoom({ connections, pokes, enter }: Room): LocksRoom {
  return {
    acquire: (name, owner, ttl) =>
      enter(async () => {
        const [row] = await connections.write(acquireLock, [storable(name), storable(owner), ttl])
        return row === undefined ? null : { name, owner, fence: Number(row.fence), expiresAt: Number(row.expires_at) }
      }),
    release: (name, owner) =>
      enter(async () => {
        const released = await connections.write(releaseLock, [storable(name), storable(owner)])
        if (released.length > 0) pokes.tell([lockTopic(name)])
        return released.length > 0
      }),
  }
}
