import type { LocksRoom } from '../storage/locks.ts'
import { type Store, begin } from './store.ts'

export function createLocksRoom(store: Store): LocksRoom {
  return {
    async acquire(name, owner, ttl) {
      begin(store)
      const present = store.locks.get(name)
      const held = present !== undefined && present.expiresAt > store.now
      if (held && present.owner !== owner) return null
      // One row of numbers for all locks: so a fence grows even when nothing is remembered of the last owner.
      const lock = { owner, fence: held ? present.fence : ++store.fences, expiresAt: store.now + ttl }
      store.locks.set(name, lock)
      return { name, ...lock }
    },
    async release(name, owner) {
      begin(store)
      const present = store.locks.get(name)
      if (present === undefined || present.owner !== owner || present.expiresAt <= store.now) return false
      store.locks.delete(name)
      store.watchers.lock(name)
      return true
    },
  }
}
