import type { JobSummary } from '@q/core/storage'
import * as z from 'zod'
import { lookOf, type Look } from '../views/state.ts'
import type { Visit } from '../visit.ts'

/** A job as a list tells of it. */
export interface JobJson {
  readonly id: string
  readonly kind: string
  readonly version: number
  readonly queue: string
  readonly priority: number
  /** `retrying` is a scheduled job that has run before. */
  readonly state: Look
  /** The name of the state, where the application has states of its own. */
  readonly stateName: string
  readonly attempt: number
  readonly crashes: number
  readonly createdAt: string
  readonly enteredAt: string
  readonly dueAt: string | null
  readonly expiresAt: string | null
  readonly removedAt: string | null
  readonly waitedMs: number | null
  readonly ranMs: number | null
  readonly server: string | null
  readonly tags: readonly string[]
  readonly preview: string | null
  readonly reason: string | null
  readonly error: string | null
  readonly fingerprint: string | null
}

const instant = z.iso.datetime()
export const looks = [
  'awaiting',
  'scheduled',
  'retrying',
  'enqueued',
  'parked',
  'processing',
  'succeeded',
  'failed',
  'deleted',
] as const

export const jobJsonSchema: z.ZodType<JobJson> = z
  .strictObject({
    id: z.string(),
    kind: z.string(),
    version: z.int(),
    queue: z.string(),
    priority: z.int(),
    state: z.enum(looks),
    stateName: z.string(),
    attempt: z.int(),
    crashes: z.int(),
    createdAt: instant,
    enteredAt: instant,
    dueAt: instant.nullable(),
    expiresAt: instant.nullable(),
    removedAt: instant.nullable(),
    waitedMs: z.number().nullable(),
    ranMs: z.number().nullable(),
    server: z.string().nullable(),
    tags: z.array(z.string()),
    preview: z.string().nullable(),
    reason: z.string().nullable(),
    error: z.string().nullable(),
    fingerprint: z.string().nullable(),
  })
  .meta({ id: 'Job' })

export function jobJson(visit: Visit, job: JobSummary): JobJson {
  const { state } = job
  return {
    id: job.id,
    kind: job.name,
    version: job.version,
    queue: job.queue,
    priority: 100 - job.priority,
    state: lookOf(state.phase, job.attempt),
    stateName: state.name,
    attempt: job.attempt,
    crashes: job.crashes,
    createdAt: iso(job.createdAt)!,
    enteredAt: iso(state.at)!,
    dueAt: iso(job.dueAt),
    expiresAt: iso(job.expiresAt),
    removedAt: iso(job.removeAt),
    waitedMs: job.waitedMs ?? null,
    ranMs: job.ranMs ?? null,
    server: job.server ?? null,
    tags: job.tags,
    preview: job.preview === undefined ? null : visit.redact.preview(job.preview),
    reason: state.reason === undefined ? null : visit.redact.text(state.reason),
    error: state.error === undefined ? null : visit.redact.text(state.error.preview),
    fingerprint: state.error?.fingerprint ?? null,
  }
}

export function iso(at: Date | number | null | undefined): string | null {
  return at === null || at === undefined ? null : new Date(at).toISOString()
}
