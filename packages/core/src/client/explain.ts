import { keyForPeople } from '../jobs/limits.ts'
import { matchesPattern } from '../server/queue-pattern.ts'
import { statusOf, type Status } from '../states/status.ts'
import { isFinalPhase } from '../storage/job.ts'
import type { JobId } from '../storage/job.ts'
import type { JobView, Standing } from '../storage/monitor.ts'
import type { ClientCore } from './client-core.ts'
import type { ServerView } from './monitor.ts'
import { createMonitor } from './monitor.ts'

export type BlockerCode =
  | 'finished'
  | 'running'
  | 'scheduled'
  | 'retrying'
  | 'awaiting'
  | 'unknown-job'
  | 'parked'
  | 'queue-paused'
  | 'no-server'
  | 'limit'
  | 'queue-full'
  | 'queue-rate'
  | 'behind'
  | 'next'

/** One reason why a job does not run, as a fact and as a sentence. */
export interface Blocker {
  readonly code: BlockerCode
  readonly text: string
  readonly until?: Date | undefined
  /** The jobs concerned: parents it waits for, holders of its limit. */
  readonly jobs?: readonly JobId[] | undefined
  readonly queue?: string | undefined
}

export interface Explanation {
  readonly id: JobId
  readonly status: Status
  /** The weightiest first. Never empty. */
  readonly blockers: readonly Blocker[]
}

/** Why a job is not running: read from its standing, its queue and the servers that listen. */
export async function explain(core: ClientCore, id: JobId): Promise<Explanation | null> {
  const [[view], standing, servers] = await Promise.all([
    core.storage.monitor.get([id]),
    core.storage.monitor.standing(id),
    createMonitor(core).servers(),
  ])
  if (view === null || view === undefined || standing === null) return null
  return { id, status: statusOf(view.state.phase), blockers: blockersOf(view, standing, servers) }
}

function blockersOf(view: JobView, standing: Standing, servers: readonly ServerView[]): readonly Blocker[] {
  const { phase } = view.state
  if (isFinalPhase(phase))
    return [
      {
        code: 'finished',
        text: `It has ended: ${view.state.name}${view.state.reason === undefined ? '' : ` (${view.state.reason})`}.`,
      },
    ]
  if (phase === 'active')
    return [{ code: 'running', text: `It is running${view.server === undefined ? '' : ` on ${view.server}`}.` }]
  const first =
    phase === 'scheduled'
      ? [dueBlocker(view)]
      : phase === 'awaiting'
        ? [parentsBlocker(standing)]
        : phase === 'parked'
          ? [parkedBlocker(view, standing)]
          : []
  const all = [...first, ...queueBlockers(view, standing), ...serverBlockers(view, servers), ...limitBlockers(standing)]
  if (phase === 'ready') all.push(...positionBlocker(standing))
  return all.length > 0 ? all : [{ code: 'next', text: 'Nothing holds it up: a free slot takes it next.' }]
}

function dueBlocker(view: JobView): Blocker {
  const until = view.dueAt === undefined ? undefined : new Date(view.dueAt)
  const when = until === undefined ? 'later' : `at ${until.toISOString()}`
  return view.attempt > 0
    ? {
        code: 'retrying',
        text: `It is tried again ${when} (${view.attempt} ${view.attempt === 1 ? 'run' : 'runs'} so far).`,
        until,
      }
    : { code: 'scheduled', text: `It is due ${when}.`, until }
}

function parentsBlocker({ parents }: Standing): Blocker {
  const open = parents.filter(({ phase }) => phase !== 'succeeded' && phase !== 'deleted' && phase !== 'gone')
  const failed = open.filter(({ phase }) => phase === 'failed')
  const waiting = `It waits for ${open.length === 1 ? 'its parent' : `${open.length} parents`}: ${open
    .slice(0, 3)
    .map(({ id, phase }) => `${id} (${phase})`)
    .join(', ')}${open.length > 3 ? ', …' : ''}.`
  const stuck =
    failed.length === 0
      ? ''
      : ` ${failed.length === 1 ? 'A failed parent' : 'Failed parents'} must be requeued and succeed, or be deleted.`
  return { code: 'awaiting', text: waiting + stuck, jobs: open.map(({ id }) => id) }
}

function parkedBlocker(view: JobView, standing: Standing): Blocker {
  const { name, reason } = view.state
  if (name !== 'enqueued') {
    const why = reason === undefined ? '' : ` (${reason})`
    return { code: 'parked', text: `It is in the state "${name}"${why} until somebody requeues or deletes it.` }
  }
  const wanted = standing.parkedFor ?? `${view.name}@${view.version}`
  return {
    code: 'unknown-job',
    text: `No server knows ${wanted}: it waits until one starts with that job in its \`jobs\`.`,
  }
}

function queueBlockers(view: JobView, { queue }: Standing): readonly Blocker[] {
  const blockers: Blocker[] = []
  if (queue.paused) {
    const { by, reason, until } = queue.paused
    blockers.push({
      code: 'queue-paused',
      queue: view.queue,
      until: until === undefined ? undefined : new Date(until),
      text: `The queue "${view.queue}" is paused${by === undefined ? '' : ` by ${by}`}${reason === undefined ? '' : ` ("${reason}")`}${until === undefined ? '' : ` until ${new Date(until).toISOString()}`}.`,
    })
  }
  return blockers
}

function serverBlockers(view: JobView, servers: readonly ServerView[]): readonly Blocker[] {
  const live = servers.filter(({ silent }) => !silent)
  const listening = live.filter(
    ({ info }) => info === undefined || info.queues.some((pattern) => matchesPattern(pattern, view.queue)),
  )
  if (listening.length > 0) return []
  const heard = [...new Set(live.flatMap(({ info }) => info?.queues ?? []))]
  const text =
    live.length === 0
      ? 'No server is running.'
      : `No server listens to the queue "${view.queue}"; ${live.length === 1 ? 'the one that runs listens' : `the ${live.length} that run listen`} to ${heard.map((queue) => `"${queue}"`).join(', ')}.`
  return [{ code: 'no-server', queue: view.queue, text }]
}

function limitBlockers({ gates }: Standing): readonly Blocker[] {
  return gates
    .filter(({ limit, used, opensAt }) => (limit !== undefined && used >= limit) || opensAt !== undefined)
    .map(({ key, limit, used, holders, opensAt }) => {
      const until = opensAt === undefined ? undefined : new Date(opensAt)
      const text =
        limit === undefined
          ? `Its rate limit "${keyForPeople(key)}" is used up${until === undefined ? '' : ` until ${until.toISOString()}`}.`
          : `Its limit "${keyForPeople(key)}" is full: ${used} of ${limit} held${holders.length === 0 ? '' : ` by ${holders.slice(0, 3).join(', ')}${holders.length > 3 ? ', …' : ''}`}.`
      return { code: 'limit', text, until, jobs: holders }
    })
}

function positionBlocker({ ahead }: Standing): readonly Blocker[] {
  if (ahead === undefined || ahead.value === 0) return []
  const many = `${ahead.exact ? '' : 'at least '}${ahead.value} ${ahead.value === 1 ? 'job is' : 'jobs are'}`
  return [{ code: 'behind', text: `${many} ahead of it in its queue.` }]
}
