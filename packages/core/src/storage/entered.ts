import type { FinalPhase, JobId, StateInput } from './job.ts'

/**
 * The states a storage enters by itself, the same words on every storage. Filters never see these: they stand in the
 * history. `by` of their records is empty.
 */
export const entered: Readonly<
  Record<'promoted' | 'recovered' | 'crashed' | 'handedBack' | 'parkedAgain' | 'expired' | 'retired', StateInput>
> = {
  /** A scheduled job whose time has come. */
  promoted: { name: 'enqueued', phase: 'ready', reason: 'due' },
  /** Its session was lost; crashes was charged. */
  recovered: { name: 'enqueued', phase: 'ready', reason: 'its server was lost' },
  /** Lost its session for the crashLimit-th time. */
  crashed: { name: 'failed', phase: 'failed', reason: 'lost with its server too often' },
  /** Handed back by `end`, or by the session that replaced its own. */
  handedBack: { name: 'enqueued', phase: 'ready', reason: 'handed back' },
  /** Handed back while no server here knows it. */
  parkedAgain: { name: 'enqueued', phase: 'parked', reason: 'handed back' },
  expired: { name: 'deleted', phase: 'deleted', reason: 'expired before start' },
  /** A failed job whose retention ended while children still wait for it. */
  retired: { name: 'deleted', phase: 'deleted', reason: 'its retention ended' },
}

export function replacedBy(id: JobId): StateInput {
  return { name: 'deleted', phase: 'deleted', reason: `replaced by ${id}` }
}

/** A child whose parent ended in a way its edge does not name. */
export function unmetBy(parent: JobId, end: FinalPhase | 'gone'): StateInput {
  return { name: 'deleted', phase: 'deleted', reason: `parent ${parent} ${end === 'gone' ? 'is gone' : end}` }
}
