import { dropEdges } from './edges.ts'
import { type StoredJob, phaseOf } from './job.ts'
import { newQueueLine } from './queue.ts'
import type { EndOfClaim } from './rules.ts'
import { untellCancel } from './sessions.ts'
import type { Store } from './store.ts'

/** What takes a job out of its phase. */
export type Leave = 'claim' | EndOfClaim

/** Takes a job out of everything its present phase has put it into. `enterPhase` follows in the same step, or the job is gone. */
export function leavePhase(store: Store, job: StoredJob, by: Leave): void {
  const phase = phaseOf(job)
  const { queue } = job.lane
  store.phases[phase].remove(job)
  switch (phase) {
    case 'ready':
      if (job.rare?.gates !== undefined) store.gates.leaveReady(job, by === 'claim', store.now)
      queue.ready.delete(job)
      return
    case 'active':
      endClaim(store, job, by)
      return
    case 'scheduled':
      store.due.delete(job)
      queue.due.forget()
      queue.scheduled--
      if (job.attempt > 0) store.retrying--
      job.dueAt = undefined
      return
    case 'awaiting':
      dropEdges(job)
      return
    case 'parked': {
      const name = job.rare!.parkedFor!
      const line = queue.parked.get(name)!
      line.delete(job)
      if (line.size === 0) queue.parked.delete(name)
      job.rare!.parkedFor = undefined
      return
    }
    case 'succeeded':
    case 'failed':
    case 'deleted':
      if (job.removeAt !== undefined) store.removing.forget()
      job.removeAt = undefined
      return
    default:
      return phase satisfies never
  }
}

/** Puts a job into everything its phase asks for. Its place, due time and the like are set before. */
export function enterPhase(store: Store, job: StoredJob): void {
  const phase = phaseOf(job)
  const { queue } = job.lane
  store.phases[phase].add(job)
  switch (phase) {
    case 'ready':
      job.readyAt = store.now
      queue.ready.add(job)
      store.watchers.queue(queue.name)
      return
    case 'active':
      queue.active++
      return
    case 'scheduled':
      store.due.add(job)
      queue.due.push(job.dueAt!, job)
      queue.scheduled++
      if (job.attempt > 0) store.retrying++
      store.watchers.queue(queue.name)
      return
    case 'parked': {
      const name = job.rare!.parkedFor!
      const line = queue.parked.get(name)
      if (line !== undefined) line.add(job)
      else queue.parked.set(name, newQueueLine())
      if (line === undefined) queue.parked.get(name)!.add(job)
      store.watchers.queue(queue.name)
      return
    }
    case 'awaiting':
      return
    case 'succeeded':
    case 'failed':
    case 'deleted':
      if (job.removeAt !== undefined) store.removing.push(job.removeAt, job)
      return
    default:
      return phase satisfies never
  }
}

function endClaim(store: Store, job: StoredJob, by: Leave): void {
  const { session, token } = job.claim!
  const { queue } = job.lane
  job.claim = null
  session.held.delete(job)
  queue.active--
  untellCancel(session, job.id, token)
  if (job.rare?.gates !== undefined && by !== 'claim' && store.rules.freesGates(by)) store.gates.free(job, store.now)
  // Whoever waits for a slot of this queue may be another server.
  if (queue.config.maxActive != null && queue.ready.size > 0) store.watchers.queue(queue.name)
}
