import type { JobId } from '@q/core/storage'
import { statement } from './statement.ts'
import type { Store } from './store.ts'
import type { StoredJob } from './stored-job.ts'

const findHolder = statement<[string, number], { id: string }>(
  (t) => `select id from ${t.uniq} where key = ? and (expires_at is null or expires_at > ?)`,
)
const takeKeyRow = statement<[string, string, number | null]>(
  (t) => `insert or replace into ${t.uniq} values (?, ?, ?)`,
)
/** Only its owner frees a key. */
const freeKeyRow = statement<[string, string]>((t) => `delete from ${t.uniq} where key = ? and id = ?`)

/** One owner per key; past its ttl it is there for the taking. */
export function holderOf(store: Store, key: string): JobId | undefined {
  return store.db.get(findHolder, key, store.now)?.id
}

export function takeKey(store: Store, { id, rest }: StoredJob): void {
  if (rest.key !== undefined) store.db.run(takeKeyRow, rest.key.key, id, rest.key.expiresAt ?? null)
}

export function freeKey(store: Store, { id, rest }: StoredJob): void {
  if (rest.key !== undefined) store.db.run(freeKeyRow, rest.key.key, id)
}

/** The other job that keeps this one from leaving its final phase; it needs its key again if that is held until then. */
export function rivalOf(store: Store, job: StoredJob): JobId | undefined {
  if (!needsKeyAgain(store, job)) return undefined
  const holder = holderOf(store, job.rest.key!.key)
  return holder === job.id ? undefined : holder
}

export function takeKeyAgain(store: Store, job: StoredJob): void {
  if (needsKeyAgain(store, job)) takeKey(store, job)
}

function needsKeyAgain(store: Store, { rest: { key } }: StoredJob): boolean {
  return key?.until === 'final' && (key.expiresAt === undefined || key.expiresAt > store.now)
}
