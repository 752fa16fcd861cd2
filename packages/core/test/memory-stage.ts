import type { Clock } from '../src/clock.ts'
import { type MemoryOptions, type MemoryStorage, memoryStorage } from '../src/memory/index.ts'
import type {
  ApplyOutcome,
  Claim,
  ClaimedJob,
  CreateOutcome,
  Exchange,
  ExchangeResult,
  JobId,
  JobView,
  Ms,
  NewJob,
  StateInput,
  Transition,
} from '../src/storage/index.ts'

type Named = 'enqueued' | 'scheduled' | 'awaiting' | 'processing' | 'succeeded' | 'failed' | 'deleted'

export const states: Readonly<Record<Named, StateInput>> = {
  enqueued: { name: 'enqueued', phase: 'ready' },
  scheduled: { name: 'scheduled', phase: 'scheduled' },
  awaiting: { name: 'awaiting', phase: 'awaiting' },
  processing: { name: 'processing', phase: 'active' },
  succeeded: { name: 'succeeded', phase: 'succeeded' },
  failed: { name: 'failed', phase: 'failed', error: { fingerprint: 'boom', preview: 'Error: boom' } },
  deleted: { name: 'deleted', phase: 'deleted' },
}

/** The n-th job id. */
export function idOf(n: number): JobId {
  return String(n).padStart(26, '0')
}

/** A memory storage, a clock that is moved by hand, and short words for what tests do with them. */
export class MemoryStage {
  readonly storage: MemoryStorage
  now: Ms = 1_700_000_000_000
  #jobs = 0
  #sessions = 0

  constructor(options: MemoryOptions = {}) {
    const clock: Clock = {
      now: () => this.now,
      monotonic: () => this.now,
      timer: () => ({ cancel: () => {} }),
      soon: (fire) => queueMicrotask(fire),
      random: () => 0,
      fill: () => {},
    }
    this.storage = memoryStorage({ clock, ...options })
  }

  job(over: Partial<NewJob> = {}): NewJob {
    const id = idOf(++this.#jobs)
    return { id, queue: 'mail', name: 'send', version: 1, payload: '{}', state: states.enqueued, ...over }
  }

  async create(...jobs: readonly NewJob[]): Promise<CreateOutcome[]> {
    return this.storage.jobs.create(jobs)
  }

  /** One job, and its id. */
  async created(over: Partial<NewJob> = {}): Promise<JobId> {
    const job = this.job(over)
    const [outcome] = await this.create(job)
    if (outcome?.ok !== 'created') throw new Error(`not created: ${JSON.stringify(outcome)}`)
    return job.id
  }

  async child(parent: JobId, over: Partial<NewJob> = {}): Promise<JobId> {
    return this.created({ state: states.awaiting, after: [{ parent, on: ['succeeded'] }], ...over })
  }

  async worker(queues: readonly string[] = ['mail'], ttl: Ms = 30_000): Promise<StageWorker> {
    const id = `session-${++this.#sessions}`
    await this.storage.work.open({ id, server: `server-${this.#sessions}`, ttl, info: '' })
    return new StageWorker(this.storage, id, queues)
  }

  async command(id: JobId, to: StateInput, over: Partial<Transition> = {}): Promise<ApplyOutcome> {
    const from = ['awaiting', 'scheduled', 'ready', 'active', 'parked', 'succeeded', 'failed', 'deleted'] as const
    const [outcome] = await this.storage.jobs.apply([{ id, from, to, ...over }])
    return outcome!
  }

  async view(id: JobId): Promise<JobView> {
    const [view] = await this.storage.monitor.get([id])
    if (!view) throw new Error(`job ${id} is not there`)
    return view
  }

  async phase(id: JobId): Promise<string | undefined> {
    const [view] = await this.storage.monitor.get([id])
    return view?.state.phase
  }

  /** The names and reasons of what a job went through. */
  async story(id: JobId): Promise<string[]> {
    const history = await this.storage.monitor.history(id)
    return history.map(({ name, reason }) => (reason === undefined ? name : `${name}: ${reason}`))
  }
}

export class StageWorker {
  readonly storage: MemoryStorage
  readonly session: string
  readonly queues: readonly string[]
  call = 0

  constructor(storage: MemoryStorage, session: string, queues: readonly string[]) {
    this.storage = storage
    this.session = session
    this.queues = queues
  }

  async exchange(part: Partial<Omit<Exchange, 'session'>> = {}): Promise<ExchangeResult> {
    return this.storage.work.exchange({ session: this.session, call: ++this.call, apply: [], ...part })
  }

  asking(max: number, over: Partial<Claim> = {}): Claim {
    return { max, queues: this.queues.map((name) => ({ name })), state: states.processing, ...over }
  }

  async claim(max = 1, over: Partial<Claim> = {}): Promise<readonly ClaimedJob[]> {
    return (await this.exchange({ claim: this.asking(max, over) })).claimed
  }

  async claimIds(max = 1, over: Partial<Claim> = {}): Promise<JobId[]> {
    return (await this.claim(max, over)).map(({ id }) => id)
  }

  async claimOne(over: Partial<Claim> = {}): Promise<ClaimedJob> {
    const [job] = await this.claim(1, over)
    if (job === undefined) throw new Error('nothing to claim')
    return job
  }

  async end(job: ClaimedJob, to: StateInput = states.succeeded, over: Partial<Transition> = {}): Promise<ApplyOutcome> {
    const { applied } = await this.exchange({ apply: [{ id: job.id, token: job.token, to, ...over }] })
    return applied[0]!
  }
}
