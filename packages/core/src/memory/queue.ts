import type { Ms } from '../storage/job.ts'
import type { QueueConfig } from '../storage/queues.ts'
import { DueHeap } from './due-heap.ts'
import { type PlaceInQueue, type StoredJob, comparePlaces, phaseOf } from './job.ts'
import { OrderedList } from './ordered-list.ts'
import { tokensLeft } from '../storage/rate.ts'
import type { TallyRow } from './tally.ts'

export type QueueLine = OrderedList<PlaceInQueue, StoredJob>

export interface QueueState {
  readonly name: string
  readonly lanes: Map<string, Lane>
  /** Ready to be claimed, in that order. */
  readonly ready: QueueLine
  /** Ready too, but asleep at a gate. */
  readonly aside: QueueLine
  /** By 'name@version'. */
  readonly parked: Map<string, QueueLine>
  readonly due: DueHeap<StoredJob>
  scheduled: number
  active: number
  /** Sleepers at gates that a passing of time may open. */
  awaitingTokens: number
  config: QueueConfig
  fullAt: Ms
}

/** The jobs of one name in one queue: what is counted together. */
export interface Lane {
  readonly queue: QueueState
  readonly name: string
  /** Of the present minute, or of the last one in which something happened. */
  row: TallyRow | null
}

export function newQueue(name: string): QueueState {
  const queue: QueueState = {
    name,
    lanes: new Map(),
    ready: newQueueLine(),
    aside: newQueueLine(),
    parked: new Map(),
    due: new DueHeap((job, at) => phaseOf(job) === 'scheduled' && job.dueAt === at && job.lane.queue === queue),
    scheduled: 0,
    active: 0,
    awaitingTokens: 0,
    config: {},
    fullAt: 0,
  }
  return queue
}

export function newQueueLine(): QueueLine {
  return new OrderedList(comparePlaces)
}

export function laneOf(queue: QueueState, name: string): Lane {
  let lane = queue.lanes.get(name)
  if (lane === undefined) queue.lanes.set(name, (lane = { queue, name, row: null }))
  return lane
}

export function isPaused(queue: QueueState, now: Ms): boolean {
  const paused = queue.config.paused
  return paused != null && (paused.until === undefined || paused.until > now)
}

/** Whether its own limits leave room for one more start. */
export function hasRoom(queue: QueueState, now: Ms): boolean {
  const { maxActive, rate } = queue.config
  return (maxActive == null || queue.active < maxActive) && (rate == null || tokensLeft(rate, queue.fullAt, now) > 0)
}

export function isLimited(queue: QueueState): boolean {
  return queue.config.maxActive != null || queue.config.rate != null
}
