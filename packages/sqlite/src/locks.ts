import type { LocksRoom } from '@q/core/storage'
import type { Engine } from './engine.ts'
import { statement } from './statement.ts'

const findLock = statement<[string], { owner: string; fence: number; expires_at: number }>(
  (t) => `select owner, fence, expires_at from ${t.lock} where name = ?`,
)
/** One row of numbers for all locks: so a fence grows even when nothing is remembered of the last owner. */
const nextFence = statement<[], { fence: number }>(
  (t) =>
    `insert into ${t.lock} (name, fence) values ('', 1) on conflict (name) do update set fence = fence + 1 returning fence`,
)
const saveLock = statement<[string, string, number, number]>(
  (t) => `insert or replace into ${t.lock} values (?, ?, ?, ?)`,
)
const dropLock = statement<[string, string, number]>(
  (t) => `delete from ${t.lock} where name = ? and owner = ? and expires_at > ?`,
)

export function createLocksRoom(engine: Engine): LocksRoom {
  return {
    acquire(name, owner, ttl) {
      return engine.write((store) => {
        const present = store.db.get(findLock, key(name))
        const held = present !== undefined && present.expires_at > store.now
        if (held && present.owner !== owner) return null
        const fence = held ? present.fence : store.db.get(nextFence)!.fence
        const expiresAt = store.now + ttl
        store.db.run(saveLock, key(name), owner, fence, expiresAt)
        return { name, owner, fence, expiresAt }
      })
    },
    release(name, owner) {
      return engine.write((store) => {
        const released = store.db.run(dropLock, key(name), owner, store.now) > 0
        if (released) store.wakes.lock(name)
        return released
      })
    },
  }
}

/** The empty name is the counter of fences. */
export function key(name: string): string {
  return `=${name}`
}
