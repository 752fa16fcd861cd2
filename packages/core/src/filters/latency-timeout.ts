import { cancelJob } from '../jobs/outcome.ts'
import type { Duration } from '../schedule/duration.ts'
import { parseDuration } from '../schedule/duration.ts'
import type { Filter } from './filter.ts'

/** A job that waited longer than this for its start is deleted instead of run: too late is worse than never. */
export function latencyTimeout(limit: Duration): Filter {
  const limitMs = parseDuration(limit, { option: 'latencyTimeout', minMs: 1 })
  return {
    name: 'latencyTimeout',
    order: -1000,
    perform: async (context, next) =>
      context.waitedMs > limitMs
        ? cancelJob(`waited ${context.waitedMs} ms for its start; at most ${limitMs} ms were allowed`)
        : next(),
  }
}
