import type { Counts, ErrorGroup } from '@q/core/storage'
import { duration, plural, rate } from '../views/format.ts'
import type { QueueRow } from './queue-rows.ts'
import { readQueueRows } from './queue-rows.ts'
import type { Reader } from './reader.ts'

export type ProblemCode =
  | 'no-server'
  | 'server-silent'
  | 'queue-unserved'
  | 'queue-late'
  | 'queue-paused'
  | 'jobs-parked'
  | 'recurring-error'
  | 'failing'

export interface Problem {
  readonly code: ProblemCode
  /** What it is about: a queue, a server, a fingerprint. */
  readonly subject: string
  readonly message: string
  /** The page that shows it. */
  readonly path: string
}

export interface Health {
  readonly at: number
  readonly isHealthy: boolean
  readonly sentence: string
  readonly problems: readonly Problem[]
  readonly counts: Counts
  readonly inPerSecond: number
  readonly donePerSecond: number
  readonly failedPerSecond: number
  readonly slots: { readonly busy: number; readonly total: number }
  readonly servers: number
  readonly oldestReadyAt: number | undefined
  readonly queues: readonly QueueRow[]
  readonly errors: readonly ErrorGroup[]
}

/** A ready job should not wait longer than this. */
const lateMs = 60_000
const minuteMs = 60_000

export async function readHealth(reader: Reader): Promise<Health> {
  const [counts, queues, servers, errors, recurring] = await Promise.all([
    reader.counts(),
    readQueueRows(reader),
    reader.servers(),
    reader.errors({ limit: 6 }),
    reader.recurring({ limit: 100 }),
  ])
  const to = (Math.floor(counts.at / minuteMs) + 1) * minuteMs
  const recent = await reader.series({ by: 'all', from: to - 5 * minuteMs, to, step: 'minute' })
  const seconds = Math.max(1, (counts.at - (to - 5 * minuteMs)) / 1000)
  const perSecond = (pick: 'created' | 'ok' | 'failed'): number =>
    recent.reduce((sum, bucket) => sum + bucket[pick], 0) / seconds
  const live = servers.filter(({ silent }) => !silent)
  const slots = {
    busy: counts.byPhase.active,
    total: live.reduce((sum, { info }) => sum + (info?.concurrency ?? 0), 0),
  }
  const waitingSince = queues.filter(({ paused }) => !paused).flatMap(({ oldestReadyAt }) => oldestReadyAt ?? [])
  const oldestReadyAt = waitingSince.length === 0 ? undefined : Math.min(...waitingSince)
  const problems = [
    ...serverProblems(
      counts,
      live.length,
      servers.filter(({ silent }) => silent),
    ),
    ...queues.flatMap((queue) => queueProblems(queue, live.length > 0)),
    ...parkedProblem(counts),
    ...recurring.items
      .filter(({ error }) => error !== undefined)
      .map(({ id, error }) =>
        problem(
          'recurring-error',
          id,
          `The recurring job ${id} cannot run: ${error}`,
          `/recurring/${encodeURIComponent(id)}`,
        ),
      ),
    ...errors.items.flatMap(failingProblem).slice(0, 3),
  ]
  const done = perSecond('ok') + perSecond('failed')
  return {
    at: counts.at,
    isHealthy: problems.length === 0,
    sentence: sentenceOf(counts, done, slots, oldestReadyAt, live.length),
    problems,
    counts,
    inPerSecond: perSecond('created'),
    donePerSecond: done,
    failedPerSecond: perSecond('failed'),
    slots,
    servers: live.length,
    oldestReadyAt,
    queues,
    errors: errors.items,
  }
}

function sentenceOf(
  counts: Counts,
  donePerSecond: number,
  slots: Health['slots'],
  oldestReadyAt: number | undefined,
  servers: number,
): string {
  if (servers === 0)
    return `No server is running; ${plural(counts.byPhase.ready, 'job')} ${counts.byPhase.ready === 1 ? 'waits' : 'wait'}.`
  const waiting =
    oldestReadyAt === undefined
      ? 'nothing waits'
      : `the oldest waits ${duration(Math.max(0, counts.at - oldestReadyAt))}`
  return `${rate(donePerSecond)} done, ${waiting}, ${slots.busy} of ${slots.total} slots busy.`
}

function problem(code: ProblemCode, subject: string, message: string, path: string): Problem {
  return { code, subject, message, path }
}

function serverProblems(counts: Counts, live: number, silent: readonly { name: string; held: number }[]): Problem[] {
  const found = silent.map(({ name, held }) =>
    problem(
      'server-silent',
      name,
      `${name} has gone silent${held === 0 ? '' : ` with ${plural(held, 'job')}`}; its jobs are about to be handed on.`,
      '/servers',
    ),
  )
  const waiting = counts.byPhase.ready + counts.byPhase.scheduled
  if (live > 0 || waiting === 0) return found
  return [
    problem(
      'no-server',
      '',
      `No server is running, and ${plural(waiting, 'job')} ${waiting === 1 ? 'waits' : 'wait'} for one.`,
      '/servers',
    ),
    ...found,
  ]
}

function queueProblems(queue: QueueRow, hasServers: boolean): Problem[] {
  const path = `/queues/${encodeURIComponent(queue.name)}`
  if (queue.paused) {
    const why = queue.paused.reason === undefined ? '' : ` (“${queue.paused.reason}”)`
    const by = queue.paused.by === undefined ? '' : ` by ${queue.paused.by}`
    return [
      problem(
        'queue-paused',
        queue.name,
        `${queue.name} is paused${by}${why}; ${plural(queue.ready, 'job')} ${queue.ready === 1 ? 'waits' : 'wait'}.`,
        path,
      ),
    ]
  }
  if (queue.isUnserved && hasServers) {
    return [
      problem(
        'queue-unserved',
        queue.name,
        `No server listens to ${queue.name}; ${plural(queue.ready, 'job')} ${queue.ready === 1 ? 'waits' : 'wait'}.`,
        path,
      ),
    ]
  }
  if (queue.latencyMs <= lateMs || !hasServers) return []
  return [
    problem(
      'queue-late',
      queue.name,
      `${queue.name} is late: its oldest job waits ${duration(queue.latencyMs)}.`,
      path,
    ),
  ]
}

function parkedProblem(counts: Counts): Problem[] {
  const { parked } = counts.byPhase
  if (parked === 0) return []
  return [
    problem(
      'jobs-parked',
      '',
      `${plural(parked, 'job')} ${parked === 1 ? 'is' : 'are'} of a kind that no running server knows.`,
      '/jobs?q=state:parked',
    ),
  ]
}

/** A group that failed again within the hour, and more often than the day before. */
function failingProblem({ fingerprint, preview, trend }: ErrorGroup): Problem[] {
  const thisHour = (trend.at(-1) ?? 0) + (trend.at(-2) ?? 0)
  const usual = trend.slice(0, -2).reduce((sum, n) => sum + n, 0) / Math.max(1, trend.length - 2)
  if (thisHour < 10 || thisHour < usual * 3) return []
  return [problem('failing', fingerprint, `${preview} — ${plural(thisHour, 'time')} lately.`, `/errors/${fingerprint}`)]
}
