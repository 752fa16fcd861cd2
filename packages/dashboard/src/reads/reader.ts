import type { BaseClient, Monitor } from '@q/core'

/**
 * The monitor, asked at most once per moment and question: whoever asks the same while an answer is fresh or on its way
 * shares it. So a thousand viewers cost the storage what one costs.
 */
export type Reader = Pick<
  Monitor,
  'counts' | 'queues' | 'jobs' | 'count' | 'errors' | 'series' | 'servers' | 'recurring' | 'names' | 'logs' | 'job'
> & {
  explain: BaseClient['explain']
  runs: BaseClient['recurring']['runs']
  /** After a command of ours nothing that was read before is true any more. */
  forget(): void
}

interface Kept {
  readonly at: number
  readonly answer: Promise<unknown>
}

/** The series of hours gone by change less than what happens now. */
const seriesAgeMs = 4000

export function createReader(client: BaseClient, freshMs: number = 1000): Reader {
  const kept = new Map<string, Kept>()
  const { monitor } = client

  function shared<T>(key: string, maxAgeMs: number, load: () => Promise<T>): Promise<T> {
    const now = performance.now()
    const found = kept.get(key)
    if (found !== undefined && now - found.at < maxAgeMs) return found.answer as Promise<T>
    if (kept.size > 500) prune(now)
    const answer = load()
    kept.set(key, { at: now, answer })
    // A failure is an answer to those who wait for it, and to nobody else.
    answer.catch(() => kept.get(key)?.answer === answer && kept.delete(key))
    return answer
  }

  function prune(now: number): void {
    for (const [key, { at }] of kept) if (now - at > seriesAgeMs) kept.delete(key)
  }

  const read = (): { timeoutMs: number } => ({ timeoutMs: 2000 })
  const ask = <T>(what: string, question: unknown, load: () => Promise<T>, maxAgeMs: number = freshMs): Promise<T> =>
    shared(`${what} ${JSON.stringify(question)}`, maxAgeMs, load)

  return {
    counts: () => ask('counts', null, () => monitor.counts(read())),
    queues: () => ask('queues', null, () => monitor.queues(read())),
    servers: () => ask('servers', null, () => monitor.servers(read())),
    jobs: (query, page) => ask('jobs', [query, page], () => monitor.jobs(query, page, read())),
    count: (query, max) => ask('count', [query, max], () => monitor.count(query, max, read())),
    job: (id) => ask('job', id, () => monitor.job(id, read())),
    logs: (id, after) => ask('logs', [id, after], () => monitor.logs(id, after, read())),
    errors: (page) => ask('errors', page, () => monitor.errors(page, read())),
    series: (query) => ask('series', query, () => monitor.series(query, read()), Math.max(freshMs, seriesAgeMs)),
    recurring: (page) => ask('recurring', page, () => monitor.recurring(page, read())),
    names: (kind, prefix, limit) =>
      ask('names', [kind, prefix, limit], () => monitor.names(kind, prefix, limit, read())),
    explain: (id) => ask('explain', id, () => client.explain(id)),
    runs: (id, limit) => ask('runs', [id, limit], () => client.recurring.runs(id, limit)),
    forget: () => kept.clear(),
  }
}
