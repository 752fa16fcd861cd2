import type { Phase } from '../storage/job.ts'

/** The short view of a job's state: five words for those who do not care about the rest. */
export type Status = 'pending' | 'processing' | 'succeeded' | 'failed' | 'cancelled'

const statuses: Readonly<Record<Phase, Status>> = {
  awaiting: 'pending',
  scheduled: 'pending',
  ready: 'pending',
  parked: 'pending',
  active: 'processing',
  succeeded: 'succeeded',
  failed: 'failed',
  deleted: 'cancelled',
}

export function statusOf(phase: Phase): Status {
  return statuses[phase]
}
