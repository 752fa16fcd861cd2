import { type CreateOutcome, type NewJob, whyInvalidJob } from '@q/core/storage'
import { maxPayload } from './capabilities.ts'
import { type CreateReply, type JobRow, decodeCreateOutcome, encodeJob, isSlowToCreate } from './codec.ts'
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
  for (const [i, job] of jobs.entries()) {
    const reason = whyInvalidJob(job, maxPayload) ?? refuse(job)
    if (reason !== null) {
      known.set(i, { ok: 'invalid', reason })
      continue
    }
    const row = encodeJob(job, i, names)
    if (isSlowToCreate(row) || repeated.has(job.id)) slow.push(row)
    else plain.push(row)
  }
  return {
    plain,
    slow: slow.some((row) => row.af !== undefined) ? parentsFirst(jobs, slow, known) : slow,
    outcomes(reply) {
      const outcomes: CreateOutcome[] = jobs.map((_, i) => known.get(i) ?? { ok: 'exists' })
      for (const i of reply.plain ?? []) outcomes[i] = { ok: 'created' }
      for (const raw of reply.slow ?? []) outcomes[raw.i] = decodeCreateOutcome(raw)
      return outcomes
    },
  }
}

export function queuesOf(jobs: readonly NewJob[]): readonly string[] {
  return jobs.map((job) => job.queue)
}

/** Learns what a list of jobs names; only what can be stored at all. */
export async function learnNames(names: Names, jobs: readonly NewJob[], queues: readonly string[] = []): Promise<void> {
  const sound = jobs.filter((job) => whyInvalidJob(job, maxPayload) === null)
  await names.learn(
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

/** Those that wait for each other are answered as invalid. */
function parentsFirst(jobs: readonly NewJob[], rows: readonly JobRow[], known: Map<number, CreateOutcome>): JobRow[] {
  const places = new Map<string, JobRow>()
  for (const row of rows) if (!places.has(row.id)) places.set(row.id, row)
  const ordered = new Set<JobRow>()
  const visit = (row: JobRow, path: readonly JobRow[]): void => {
    for (const { parent } of row.af ?? []) {
      const before = places.get(parent)
      if (before === undefined || ordered.has(before) || known.has(before.i)) continue
      if (path.includes(before)) {
        const loop = [...path.slice(path.indexOf(before)), row]
        const ids = [...loop, before].map(({ i }) => jobs[i]!.id)
        for (const { i } of loop)
          known.set(i, { ok: 'invalid', reason: `these jobs wait for each other: ${ids.join(' → ')}` })
        return
      }
      visit(before, [...path, row])
      if (known.has(row.i)) return
    }
    ordered.add(row)
  }
  for (const row of rows) if (!ordered.has(row) && !known.has(row.i)) visit(row, [])
  return [...ordered]
}
