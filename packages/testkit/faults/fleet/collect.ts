import type { JobId, JobStorage } from '@q/core/storage'
import type { Evidence, StoredJob } from '../evidence/evidence.ts'
import type { Fleet } from './fleet.ts'

const page = 200

/** Everything the processes wrote and everything the storage holds, for the checker. */
export async function collect(fleet: Fleet, storage: JobStorage, crashes: readonly number[] = []): Promise<Evidence> {
  const entries = fleet.entries()
  const jobs = new Map<JobId, StoredJob>()
  let cursor: string | undefined
  do {
    const found = await storage.monitor.list({}, { limit: page, cursor, order: 'oldest' }, { timeoutMs: 20_000 })
    const ids = found.items.map(({ id }) => id)
    const views = await storage.monitor.get(ids)
    const histories = await Promise.all(ids.map((id) => storage.monitor.history(id)))
    for (const [index, view] of views.entries()) {
      if (view === null) continue
      const { id, name, recurring } = view
      jobs.set(id, { id, name, recurring, history: histories[index]!, input: decode(view.payload) })
    }
    cursor = found.next
  } while (cursor !== undefined)
  return { entries, hits: fleet.hits, jobs, leaseMs: fleet.leaseMs, isExcused: excuser(fleet, entries, crashes) }
}

/** Jobs that somebody heard of in the last moments before a crash of a server that may lose its last moments. */
function excuser(
  { stage: { lossMs } }: Fleet,
  entries: Evidence['entries'],
  crashes: readonly number[],
): (id: JobId) => boolean {
  const touched = new Set<JobId>()
  if (lossMs > 0) {
    for (const entry of entries) {
      if ('id' in entry && crashes.some((at) => entry.at <= at && entry.at >= at - lossMs)) touched.add(entry.id)
    }
  }
  return (id) => touched.has(id)
}

function decode(payload: Uint8Array | string): unknown {
  return JSON.parse(typeof payload === 'string' ? payload : Buffer.from(payload).toString())
}
