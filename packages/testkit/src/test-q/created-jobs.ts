import type { MemoryStorage } from '@q/core'
import type { CreateOutcome, JobId, JobView, NewJob } from '@q/core/storage'
import { isFinalPhase } from '@q/core/storage'
import type { Wire } from '@q/core/testing'

/** A job that was created, as it stood when the test last let something happen. */
export interface TestJob<Input = unknown> {
  readonly id: JobId
  readonly name: string
  readonly queue: string
  readonly input: Input
  readonly tags: readonly string[]
  readonly state: string
  readonly reason: string | undefined
  /** How often it was started. */
  readonly attempt: number
  readonly createdAt: Date
  readonly scheduledFor: Date | undefined
}

type Known = TestJob & { readonly isFinal: boolean }
type Outcomes = readonly CreateOutcome[] | undefined

/** Remembers every job that a storage stores, so that expectations need not wait for anything. */
export class CreatedJobs {
  /** The storage, watched. */
  readonly storage: MemoryStorage
  readonly #inner: MemoryStorage
  readonly #wire: Wire
  readonly #now: () => number
  readonly #jobs = new Map<JobId, Known>()

  constructor(inner: MemoryStorage, wire: Wire, now: () => number) {
    this.#inner = inner
    this.#wire = wire
    this.#now = now
    this.storage = this.#watched()
  }

  list<Input>(name?: string): readonly TestJob<Input>[] {
    const jobs = [...this.#jobs.values()] as readonly (Known & { readonly input: Input })[]
    return name === undefined ? jobs : jobs.filter((job) => job.name === name)
  }

  /** Reads again what may have changed. */
  async refresh(): Promise<void> {
    await this.#read([...this.#jobs.values()].filter(({ isFinal }) => !isFinal))
  }

  #watched(): MemoryStorage {
    const { jobs, work, recurring } = this.#inner
    return {
      ...this.#inner,
      jobs: {
        create: async (list) => {
          const outcomes = await jobs.create(list)
          this.#remember(list, outcomes)
          await this.refresh()
          return outcomes
        },
        createSync: (list) => {
          const outcomes = jobs.createSync(list)
          this.#remember(list, outcomes)
          return outcomes
        },
        apply: async (list) => {
          const outcomes = await jobs.apply(list)
          for (const [index, outcome] of outcomes.entries()) this.#rememberFollowUps(list[index]!, outcome)
          // What had ended may run again.
          await this.#read(list)
          await this.refresh()
          return outcomes
        },
      },
      work: {
        ...work,
        exchange: async (call) => {
          const reply = await work.exchange(call)
          for (const [index, outcome] of reply.applied.entries()) this.#rememberFollowUps(call.apply[index]!, outcome)
          return reply
        },
      },
      recurring: {
        ...recurring,
        tick: async (list) => {
          const answers = await recurring.tick(list)
          for (const [index, answer] of answers.entries()) this.#remember(list[index]!.jobs, answer.created)
          return answers
        },
      },
    }
  }

  #rememberFollowUps(
    change: { readonly create?: readonly NewJob[] | undefined },
    outcome: { readonly created?: Outcomes } | object,
  ): void {
    if ('created' in outcome) this.#remember(change.create ?? [], outcome.created)
  }

  /** What was just stored, before anybody has looked at it. */
  #remember(list: readonly NewJob[], outcomes: Outcomes): void {
    const now = this.#now()
    for (const [index, { id, name, queue, payload, tags = [], state, delay = 0, at = now + delay }] of list.entries()) {
      if (outcomes?.[index]?.ok !== 'created') continue
      this.#jobs.set(id, {
        id,
        name,
        queue,
        input: this.#decode(payload),
        tags,
        state: state.name,
        reason: state.reason,
        attempt: 0,
        isFinal: false,
        createdAt: new Date(now),
        scheduledFor: state.phase === 'scheduled' ? new Date(at) : undefined,
      })
    }
  }

  async #read(jobs: readonly { readonly id: JobId }[]): Promise<void> {
    const views = await this.#inner.monitor.get(jobs.map(({ id }) => id))
    for (const view of views) if (view !== null) this.#jobs.set(view.id, this.#known(view))
  }

  #known({ id, name, queue, payload, tags, state, attempt, createdAt, dueAt }: JobView): Known {
    return {
      id,
      name,
      queue,
      input: this.#decode(payload),
      tags,
      state: state.name,
      reason: state.reason,
      attempt,
      createdAt: new Date(createdAt),
      scheduledFor: dueAt === undefined ? undefined : new Date(dueAt),
      isFinal: isFinalPhase(state.phase),
    }
  }

  /** A job without input is stored as null, and its handler is given nothing. */
  #decode(payload: NewJob['payload']): unknown {
    return this.#wire.decode(payload) ?? undefined
  }
}
