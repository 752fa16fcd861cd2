import { createHash } from 'node:crypto'
import { QError } from '../errors.ts'
import type { FilteredJob, FilterWith } from '../filters/filter.ts'
import { parseDuration } from '../schedule/duration.ts'
import type { Gate, Payload, UniqueKey } from '../storage/job.ts'
import type { JobDefinition } from './define-job.ts'
import { checkName } from './name.ts'

/** No name may hold it, so a scoped key can never be taken for another. */
const separator = '\u001f'

/** A key as storages see it: what kind of limit it is, whose it is, and the user's own part. */
export function scopedKey(
  kind: 'unique' | 'concurrency' | 'rate' | 'lock',
  jobName: string | null,
  key: string,
): string {
  return `${kind}${separator}${jobName ?? ''}${separator}${checkName(`${kind} key`, key)}`
}

/** The user's own part of a key, for people. */
export function keyForPeople(key: string): string {
  const [kind, jobName, own] = key.split(separator)
  return own === undefined ? key : own === everyJob ? `${kind} of ${jobName}` : own
}

/** The key of a limit that all jobs of a name share. */
const everyJob = '*'

export function uniqueOf(
  definition: JobDefinition<never, unknown>,
  input: never,
  payload: Payload,
): UniqueKey | undefined {
  const { unique } = definition.options
  if (unique === undefined) return undefined
  const own =
    unique.key === undefined
      ? createHash('sha256').update(payload).digest('base64url')
      : keyOf(definition, 'unique', unique.key, input)
  return {
    key: scopedKey('unique', unique.scope === 'global' ? null : definition.name, own),
    until: unique.until === 'started' ? 'claimed' : 'final',
    conflict: unique.onConflict ?? 'skip',
    ttl: unique.ttl === undefined ? undefined : parseDuration(unique.ttl, 'unique.ttl'),
  }
}

/** All limits a job takes part in: its concurrency, its rate and those of its filters. */
export function gatesOf(
  definition: JobDefinition<never, unknown>,
  input: never,
  filters: readonly FilterWith<'limit'>[],
  factsOf: () => FilteredJob,
): readonly Gate[] | undefined {
  const { concurrency, rate } = definition.options
  if (concurrency === undefined && rate === undefined && filters.length === 0) return undefined
  const gates: Gate[] = []
  if (concurrency !== undefined) {
    const own = concurrency.key === undefined ? everyJob : keyOf(definition, 'concurrency', concurrency.key, input)
    gates.push({
      key: scopedKey('concurrency', concurrency.scope === 'global' ? null : definition.name, own),
      limit: concurrency.limit,
    })
  }
  if (rate !== undefined) {
    const own = rate.key === undefined ? everyJob : keyOf(definition, 'rate', rate.key, input)
    gates.push({
      key: scopedKey('rate', rate.scope === 'global' ? null : definition.name, own),
      rate: { max: rate.limit, per: parseDuration(rate.per, 'rate.per') },
    })
  }
  for (const filter of filters) gates.push(filter.limit(factsOf()))
  if (gates.length > 4) {
    throw new QError(
      'Q_OPTION_INVALID',
      `Job "${definition.name}" has ${gates.length} limits (concurrency, rate, filters); at most four can be taken together.`,
    )
  }
  return gates
}

function keyOf(
  definition: JobDefinition<never, unknown>,
  limit: string,
  key: string | ((input: never) => string),
  input: never,
): string {
  const own: unknown = typeof key === 'string' ? key : key(input)
  if (typeof own === 'string') return own
  throw new QError(
    'Q_INPUT_INVALID',
    `The ${limit} key of job "${definition.name}" came out as ${typeof own}; it must be a text.`,
  )
}
