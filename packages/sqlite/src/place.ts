import { dropEdges } from './edges.ts'
import { freeGates, leaveReady } from './gates.ts'
import { putReady } from './put-ready.ts'
import { type StoredJob, phaseIn } from './stored-job.ts'
import { addDue, dropDue, dropLease, dropReady } from './statements/job.ts'
import type { Store } from './store.ts'

/** What takes a job out of its phase. */
export type Leave = 'claim' | 'end'

/** Takes a rare job out of everything its present phase has put it into. `enterPhase` follows in the same step, or the job is gone. */
export function leavePhase(store: Store, job: StoredJob, by: Leave): void {
  const phase = phaseIn(job)
  const { queue } = job
  store.queues.count(queue, phase, -1)
  switch (phase) {
    case 'ready':
      if (job.rest.asideAt === undefined) store.db.run(dropReady, queue.n, job.priority, job.seq)
      if (job.rest.gates !== undefined) leaveReady(store, job, by === 'claim')
      return
    case 'active':
      endClaim(store, job)
      return
    case 'scheduled':
      store.db.run(dropDue, queue.n, job.dueAt!, job.born, job.id)
      if (job.attempt > 0) queue.retrying--
      job.dueAt = undefined
      return
    case 'awaiting':
      dropEdges(store, job.id)
      return
    case 'parked':
      job.parkedFor = undefined
      return
    case 'succeeded':
    case 'failed':
    case 'deleted':
      job.removeAt = undefined
      return
    default:
      return phase satisfies never
  }
}

/** Puts a rare job into everything its phase asks for. Its place, due time and the like are set before. */
export function enterPhase(store: Store, job: StoredJob): void {
  const phase = phaseIn(job)
  const { queue } = job
  store.queues.count(queue, phase, 1)
  switch (phase) {
    case 'ready':
      job.readyAt = store.now
      putReady(store, job)
      return
    case 'scheduled':
      store.db.run(addDue, queue.n, job.dueAt!, job.born, job.id)
      if (job.attempt > 0) queue.retrying++
      store.wakes.queue(queue.name)
      return
    case 'parked':
      store.wakes.queue(queue.name)
      return
    case 'active':
    case 'awaiting':
    case 'succeeded':
    case 'failed':
    case 'deleted':
      return
    default:
      return phase satisfies never
  }
}

function endClaim(store: Store, job: StoredJob): void {
  const { session, call } = job.claim!
  store.db.run(dropLease, session.n, job.id)
  job.claim = null
  job.rest.extra = undefined
  job.rest.adoptedFor = undefined
  job.rest.busy = undefined
  job.rest.logged = undefined
  store.sessions.untell(session, job.id, call)
  if (job.rest.gates !== undefined) freeGates(store, job)
  wakeWaitingForSlot(store, job.queue)
}

/** Whoever waits for a slot of this queue may be another server. */
export function wakeWaitingForSlot(store: Store, queue: StoredJob['queue']): void {
  if (queue.config.maxActive != null && queue.counts.ready > 0) store.wakes.queue(queue.name)
}
