import { type CreateOutcome, type NewJob, orderByParents, whyInvalidJob } from '@q/core/storage'
import { maxPayload } from './capabilities.ts'
import { type CreateReply, type JobRow, decodeCreateOutcome, encodeJob, isSlowToCreate } from './codec.ts'
import { idToUuid } from './id.ts'
import type { Names } from './names.ts'

/** A list of new jobs as the functions take it, and how to read their answer. */
export interface CreateList {
  readonly plain: readonly JobRow[]
  /** In the order in which they are created: parents of the same list first. */
  readonly slow: readonly JobRow[]
  outcomes(reply: CreateReply): CreateOutcome[]
}

/** Every queue and name of the list must have been learned. `refuse`: what this caller cannot create. */
export function encodeCreateList(
  jobs: readonly NewJob[],
  names: Names,
  refuse: (job: NewJob) => string | null = () => null,
): CreateList {
  const known = new Map<number, CreateOutcome>()
  const repeated = repeatedIds(jobs)
  const plain: JobRow[] = []
  const slow: JobRow[] = []
  const order = jobs.some(({ after }) => after?.length) ? orderByParents(jobs) : undefined
  for (const i of order?.places ?? jobs.keys()) {
    const job = jobs[i]!
    const reason = whyInvalidJob(job, maxPayload) ?? refuse(job)
    if (reason !== null) {
      known.set(i, { ok: 'invalid', reason })
      continue
    }
    const row = encodeJob(job, i, names)
    const circle = order?.circles.get(i)
    if (circle !== undefined) slow.push({ ...row, ci: circle.ids.map(idToUuid) })
    else if (isSlowToCreate(row) || repeated.has(job.id)) slow.push(row)
    else plain.push(row)
  }
  return {
    plain,
    slow,
    outcomes(reply) {
      const outcomes: CreateOutcome[] = jobs.map((_, i) => known.get(i) ?? { ok: 'exists' })
      for (const i of reply.plain ?? []) outcomes[i] = { ok: 'created' }
      for (const raw of reply.slow ?? []) outcomes[raw.i] = decodeCreateOutcome(raw, order?.circles.get(raw.i))
      return outcomes
    },
  }
}

/** As the functions take a list; null for none. */
export function jsonOf(rows: readonly JobRow[]): string | null {
  return rows.length === 0 ? null : JSON.stringify(rows)
}

export function queuesOf(jobs: readonly NewJob[]): readonly string[] {
  return jobs.map((job) => job.queue)
}

/** Learns what a list of jobs names; only what can be stored at all. */
export function learnNames(
  names: Names,
  jobs: readonly NewJob[],
  queues: readonly string[] = [],
): Promise<void> | undefined {
  const sound = jobs.filter((job) => whyInvalidJob(job, maxPayload) === null)
  return names.learn(
    [...queues, ...queuesOf(sound)],
    sound.map((job) => job.name),
    sound.flatMap((job) => job.tags ?? []),
  )
}

function repeatedIds(jobs: readonly NewJob[]): ReadonlySet<string> {
  const seen = new Set<string>()
  const repeated = new Set<string>()
  for (const { id } of jobs) {
    if (seen.has(id)) repeated.add(id)
    seen.add(id)
  }
  return repeated
}
