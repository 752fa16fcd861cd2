import type { JobQuery } from '@q/core/storage'
import type { Reader } from '../reads/reader.ts'
import { phasesOf } from './job-states.ts'
import type { Search } from './parse-search.ts'

/** A search as storages understand it; null when nothing can match it. */
export async function searchQuery(search: Search, reader: Reader): Promise<JobQuery | null> {
  const { states, server } = search
  const session = server === undefined ? undefined : await sessionOf(server, reader)
  if (session === null) return null
  const onlyRetrying = states !== undefined && states.every((state) => state === 'retrying')
  const query: JobQuery = {
    phase: states === undefined ? undefined : phasesOf(states),
    name: search.names,
    queue: search.queues,
    tag: search.tags,
    error: search.error,
    recurring: search.recurring,
    session,
    parent: search.parent,
    minAttempt: onlyRetrying ? Math.max(1, search.minAttempt ?? 1) : search.minAttempt,
    minRanMs: search.minRanMs,
    minWaitedMs: search.minWaitedMs,
    createdAfter: search.createdAfter,
    createdBefore: search.createdBefore,
    enteredAfter: search.enteredAfter,
    enteredBefore: search.enteredBefore,
    text: search.id ?? search.text,
  }
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)) as JobQuery
}

async function sessionOf(server: string, reader: Reader): Promise<string | null> {
  const servers = await reader.servers()
  return servers.find(({ name, session }) => name === server || session === server)?.session ?? null
}
