import { type NewJob, whyInvalidJob } from '@q/core/storage'
import { maxPayload } from './capabilities.ts'
import { encodeJob, inlinePreviewBytes } from './codec.ts'
import { uuidList } from './id.ts'
import type { Names } from './names.ts'
import { packPayload, payloadSeparator } from './payload.ts'

/** All that the jobs of such a list have in common, as far as a job has it at all. */
const shared = [
  'queue',
  'name',
  'version',
  'priority',
  'state',
  'delay',
  'at',
  'expires',
  'gates',
  'params',
  'tags',
  'keep',
  'crashLimit',
  'by',
] as const satisfies readonly (keyof NewJob)[]

/** What none of them may have: a preview stored beside its payload, and what is taken one after another. */
const absent = ['preview', 'after', 'then', 'unique', 'recurring'] as const satisfies readonly (keyof NewJob)[]

type Forgotten = Exclude<keyof NewJob, 'id' | 'payload' | (typeof shared)[number] | (typeof absent)[number]>
const nothingIsForgotten: [Forgotten] extends [never] ? true : never = true

/** Whether these jobs can be stored, and differ in nothing but their ids and payloads. */
export function areAlike(jobs: readonly NewJob[]): boolean {
  const [first] = jobs
  return first !== undefined && nothingIsForgotten && jobs.every((job) => isLike(job, first))
}

function isLike(job: NewJob, first: NewJob): boolean {
  if (typeof job.payload !== 'string' || job.payload.length > inlinePreviewBytes) return false
  for (const key of shared) if (job[key] !== first[key] && !isEqual(job[key], first[key])) return false
  for (const key of absent) if (job[key] !== undefined) return false
  return whyInvalidJob(job, maxPayload) === null
}

/** Parts made anew for each job, like the trace it belongs to. */
function isEqual(one: unknown, other: unknown): boolean {
  return typeof one === 'object' && typeof other === 'object' && JSON.stringify(one) === JSON.stringify(other)
}

/** What they have in common is said once; queue, name and tags must have been learned. */
export function encodeAlikeJobs(
  jobs: readonly NewJob[],
  names: Names,
): readonly [like: string, ids: string, payloads: string] {
  const { id: _, pl: __, ...like } = encodeJob(jobs[0]!, 0, names)
  return [
    JSON.stringify(like),
    uuidList(jobs.map(({ id }) => id)),
    jobs.map(({ payload }) => packPayload(payload)).join(payloadSeparator),
  ]
}
