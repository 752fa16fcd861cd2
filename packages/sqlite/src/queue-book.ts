import type { Ms, Phase, QueueConfig } from '@q/core/storage'
import { phases } from '@q/core/storage'
import type { Connection } from './connection.ts'
import { nextTokenAt, tokensLeft } from '@q/core/storage'
import { statement } from './statement.ts'

interface QueueRow extends Record<Phase, number> {
  readonly n: number
  readonly name: string
  readonly seq: number
  readonly revision: number
  readonly full_at: number
  readonly retrying: number
  readonly config: string | null
}

const byName = statement<[string], QueueRow>((t) => `select * from ${t.queue} where name = ?`)
const byNumber = statement<[number], QueueRow>((t) => `select * from ${t.queue} where n = ?`)
const addQueue = statement<[string], QueueRow>((t) => `insert into ${t.queue} (name) values (?) returning *`)
const lastQueue = statement<[], { n: number }>((t) => `select max(n) as n from ${t.queue}`)
const saveQueue = statement<[number, number, number, number, number, number, number, number, number, number, number]>(
  (t) =>
    `update ${t.queue} set full_at = ?, ${phases.map((phase) => `${phase} = ?`).join(', ')}, retrying = ? where n = ?`,
)
const saveConfig = statement<[string, number]>((t) => `update ${t.queue} set config = ? where n = ?`)
const saveStorage = statement<[number, number]>((t) => `update ${t.queue} set seq = ?, revision = ? where n = 0`)

/** A queue as the present step sees it: how many jobs it has in each phase, and its limits. */
export interface Queue {
  readonly n: number
  readonly name: string
  readonly counts: Record<Phase, number>
  /** Scheduled jobs that have run before. */
  retrying: number
  config: QueueConfig
  /** Of its token bucket. */
  fullAt: Ms
}

interface Entry extends Queue {
  epoch: number
}

/** The queues, kept in memory as long as nobody else has written; what a step changed is written once, at its end. */
export class QueueBook {
  readonly #db: Connection
  readonly #byName = new Map<string, Entry>()
  readonly #byNumber = new Map<number, Entry>()
  readonly #changed = new Set<Queue>()
  #epoch = 0
  #storage: { seq: number; revision: number; queues: number; epoch: number; changed: boolean } | null = null

  constructor(db: Connection) {
    this.#db = db
  }

  /** What was read before may be outdated, or was rolled back. */
  refresh(): void {
    this.#epoch++
    this.#changed.clear()
    this.#storage = null
    if (this.#byName.size > 10_000) {
      this.#byName.clear()
      this.#byNumber.clear()
    }
  }

  find(name: string): Queue | undefined {
    const known = this.#byName.get(name)
    if (known?.epoch === this.#epoch) return known
    const row = name === '' ? undefined : this.#db.get(byName, name)
    return row && this.#keep(row)
  }

  get(n: number): Queue {
    const known = this.#byNumber.get(n)
    return known?.epoch === this.#epoch ? known : this.#keep(this.#db.get(byNumber, n)!)
  }

  /** The queue of this name, which is made when it is new. */
  named(name: string): Queue {
    const known = this.find(name)
    if (known !== undefined) return known
    const queue = this.#keep(this.#db.get(addQueue, name)!)
    this.#whole.queues = queue.n
    return queue
  }

  count(queue: Queue, phase: Phase, by: number): void {
    queue.counts[phase] += by
    this.#changed.add(queue)
  }

  changed(queue: Queue): void {
    this.#changed.add(queue)
  }

  configure(queue: Queue, config: QueueConfig): void {
    queue.config = config
    this.#db.run(saveConfig, JSON.stringify(config), queue.n)
    this.#whole.revision++
    this.#whole.changed = true
  }

  /** The next place, or the first of so many. */
  takePlaces(count = 1): number {
    const first = this.#whole.seq + 1
    this.#whole.seq += count
    this.#whole.changed = true
    return first
  }

  get revision(): number {
    return this.#whole.revision
  }

  /** How many names there are. */
  get size(): number {
    return this.#whole.queues
  }

  /** Writes what the step has changed. */
  save(): void {
    for (const queue of this.#changed) {
      const { counts: c } = queue
      this.#db.run(
        saveQueue,
        queue.fullAt,
        c.awaiting,
        c.scheduled,
        c.ready,
        c.active,
        c.parked,
        c.succeeded,
        c.failed,
        c.deleted,
        queue.retrying,
        queue.n,
      )
    }
    this.#changed.clear()
    if (this.#storage?.changed !== true) return
    this.#db.run(saveStorage, this.#storage.seq, this.#storage.revision)
    this.#storage.changed = false
  }

  get #whole(): { seq: number; revision: number; queues: number; changed: boolean } {
    if (this.#storage?.epoch !== this.#epoch) {
      const { seq, revision } = this.#db.get(byNumber, 0)!
      const { n: queues } = this.#db.get(lastQueue)!
      this.#storage = { seq, revision, queues, epoch: this.#epoch, changed: false }
    }
    return this.#storage
  }

  #keep(row: QueueRow): Entry {
    const { awaiting, scheduled, ready, active, parked, succeeded, failed, deleted } = row
    const entry: Entry = {
      n: row.n,
      name: row.name,
      counts: { awaiting, scheduled, ready, active, parked, succeeded, failed, deleted },
      retrying: row.retrying,
      config: row.config === null ? {} : (JSON.parse(row.config) as QueueConfig),
      fullAt: row.full_at,
      epoch: this.#epoch,
    }
    this.#byName.set(entry.name, entry)
    this.#byNumber.set(entry.n, entry)
    return entry
  }
}

export function isPaused(queue: Queue, now: Ms): boolean {
  const paused = queue.config.paused
  return paused != null && (paused.until === undefined || paused.until > now)
}

/** How many more starts its own limits allow now. */
export function roomIn(queue: Queue, now: Ms): number {
  const { maxActive, rate } = queue.config
  const slots = maxActive == null ? Infinity : maxActive - queue.counts.active
  return rate == null ? slots : Math.min(slots, tokensLeft(rate, queue.fullAt, now))
}

export function isLimited(queue: Queue): boolean {
  return queue.config.maxActive != null || queue.config.rate != null
}

export function nextStartAt(queue: Queue, now: Ms): Ms | undefined {
  const { rate } = queue.config
  return rate == null ? undefined : nextTokenAt(rate, queue.fullAt, now)
}
