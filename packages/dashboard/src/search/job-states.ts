import type { Counts, JobQuery } from '@q/core/storage'

/** The states people choose from. `retrying` is a part of `scheduled`: those that have run before. */
export const jobStates = [
  'enqueued',
  'processing',
  'scheduled',
  'retrying',
  'awaiting',
  'parked',
  'succeeded',
  'failed',
  'deleted',
] as const

export type JobStateName = (typeof jobStates)[number]

type Phase = NonNullable<JobQuery['phase']>[number]

const phaseOf: Readonly<Record<JobStateName, Phase>> = {
  enqueued: 'ready',
  processing: 'active',
  scheduled: 'scheduled',
  retrying: 'scheduled',
  awaiting: 'awaiting',
  parked: 'parked',
  succeeded: 'succeeded',
  failed: 'failed',
  deleted: 'deleted',
}

export function phasesOf(states: readonly JobStateName[]): readonly Phase[] {
  return [...new Set(states.map((state) => phaseOf[state]))]
}

export function countOf(state: JobStateName, counts: Counts): number {
  return state === 'retrying' ? counts.retrying : counts.byPhase[phaseOf[state]]
}
