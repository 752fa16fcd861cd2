import { QError } from '../errors.ts'
import type { Filter } from '../filters/filter.ts'
import type { Duration } from '../schedule/duration.ts'
import { excerpt } from '../schedule/excerpt.ts'
import type { JobId } from '../storage/job.ts'

export type Priority = 'low' | 'normal' | 'high' | number

/** How long a finished job stays readable. */
export interface KeepOptions {
  /** Default '1d'. */
  readonly succeeded?: Duration | 'forever' | undefined
  /** Default 'forever'. */
  readonly failed?: Duration | 'forever' | undefined
  /** Default '1d'. */
  readonly deleted?: Duration | 'forever' | undefined
}

/** What a single call may say about the job it makes. */
export interface EnqueueOptions {
  /** Instead of the definition's. */
  readonly queue?: string | undefined
  readonly priority?: Priority | undefined
  readonly tags?: readonly string[] | undefined
  /** Data beside the input: who asked, for whom. Readable in the handler and on the dashboard. */
  readonly meta?: Readonly<Record<string, unknown>> | undefined
  readonly keep?: KeepOptions | undefined
  /** A job id of your own: the same id again finds the job there and changes nothing. */
  readonly id?: JobId | undefined
  /** Not started within this time, the job is deleted instead. */
  readonly expiresIn?: Duration | undefined
  /** Filters of this call: for its creation and first state. */
  readonly filters?: readonly Filter[] | undefined
}

/** Refuses lists and records that are none: a text, for instance, would pass for a list of its characters. */
export function checkShapes({ tags, meta, keep }: Pick<EnqueueOptions, 'tags' | 'meta' | 'keep'>): void {
  if (tags !== undefined && !Array.isArray(tags)) refuse('tags', tags, 'a list of texts')
  if (meta !== undefined && !isRecord(meta)) refuse('meta', meta, 'an object')
  if (keep !== undefined && !isRecord(keep)) refuse('keep', keep, "an object such as { succeeded: '2h' }")
}

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refuse(option: string, value: unknown, wanted: string): never {
  throw new QError('Q_OPTION_INVALID', `"${option}" cannot be "${excerpt(value)}": give ${wanted}.`)
}
