import { setTimeout as pause } from 'node:timers/promises'
import { createClient, isQError, newJobId } from '@q/core'
import type { BaseClient, EnqueueOptions, JobDefinition } from '@q/core'
import { Random } from '../../src/differential/random.ts'
import type { Ledger } from '../evidence/ledger.ts'
import type { FleetJobs } from './jobs.ts'
import type { Member, Setting } from './worker.ts'

/** Calls on their way at once, at most: a stalled storage is not answered with ever more memory. */
const mostInFlight = 50
const requeueAfterMs = 500

/** Makes jobs of all kinds, and now and then commands one, until it is told to stop. */
export async function startProducer({ plan, ledger, storage, jobs }: Setting): Promise<Member> {
  const client: BaseClient = createClient({ storage, name: plan.name })
  const announcer = new Announcer(client, ledger)
  const random = new Random(plan.seed)
  const inFlight = new Set<Promise<unknown>>()
  let isStopping = false

  const loop = async (): Promise<void> => {
    while (!isStopping) {
      const work = produce(announcer, jobs, random)
      inFlight.add(work)
      void work.finally(() => inFlight.delete(work))
      if (inFlight.size >= mostInFlight) await Promise.race(inFlight)
      await pause(plan.gapMs * 2 * random.next())
    }
    await Promise.all(inFlight)
  }
  const looping = loop()
  return {
    async stop() {
      isStopping = true
      await looping
      await client.close()
    },
  }
}

async function produce(announcer: Announcer, jobs: FleetJobs, random: Random): Promise<void> {
  const dice = random.next()
  if (dice < 0.35) return void (await announcer.enqueue(jobs.plain, { ms: random.next() * 20 }))
  if (dice < 0.55) return announcer.enqueueLong(jobs, 300 + random.next() * 1200, random.next() < 0.15)
  if (dice < 0.65) return void (await announcer.enqueue(jobs.flaky, { failures: Math.ceil(random.next() * 3) }))
  if (dice < 0.68) return announcer.enqueueDoomed(jobs, random.next() < 0.5)
  if (dice < 0.8) return announcer.enqueueWithChild(jobs, random.next() * 30)
  if (dice < 0.9) return void (await announcer.enqueue(jobs.family, undefined))
  return void (await announcer.enqueue(jobs.begetter, undefined))
}

/** Writes down what it is about to do and what it was told, before and after every call. */
export class Announcer {
  readonly #client: BaseClient
  readonly #ledger: Ledger

  constructor(client: BaseClient, ledger: Ledger) {
    this.#client = client
    this.#ledger = ledger
  }

  async enqueue<Input>(
    job: JobDefinition<Input, unknown>,
    input: Input,
    options: Omit<EnqueueOptions, 'id'> = {},
  ): Promise<string> {
    const id = newJobId()
    this.#ledger.write({ k: 'intent', id, job: job.name })
    await this.#note(
      id,
      this.#client.enqueue(job as JobDefinition<unknown, unknown>, input as never, { ...options, id }),
    )
    return id
  }

  async schedule<Input>(job: JobDefinition<Input, unknown>, input: Input, inMs: number): Promise<string> {
    const id = newJobId()
    this.#ledger.write({ k: 'intent', id, job: job.name })
    const call = this.#client.schedule(job as JobDefinition<unknown, unknown>, input as never, { id, in: inMs })
    await this.#note(id, call)
    return id
  }

  async enqueueLong(jobs: FleetJobs, ms: number, isDeleted: boolean): Promise<void> {
    const id = await this.enqueue(jobs.long, { ms })
    if (isDeleted) await this.#command(id, 'delete')
  }

  async enqueueDoomed(jobs: FleetJobs, isRequeued: boolean): Promise<void> {
    const id = await this.enqueue(jobs.doomed, undefined)
    if (!isRequeued) return
    await pause(requeueAfterMs)
    await this.#command(id, 'requeue')
  }

  async enqueueWithChild(jobs: FleetJobs, ms: number): Promise<void> {
    const parent = await this.enqueue(jobs.parent, { ms })
    const id = newJobId()
    this.#ledger.write({ k: 'intent', id, job: jobs.child.name, parent })
    await this.#note(id, this.#client.continueWith(parent, jobs.child, undefined, { id }))
  }

  async #note(id: string, call: Promise<unknown>): Promise<void> {
    try {
      await call
      this.#ledger.write({ k: 'accepted', id })
    } catch (error) {
      if (!isQError(error)) throw error
      this.#ledger.write({ k: error.code === 'Q_AMBIGUOUS' ? 'unclear' : 'refused', id, code: error.code })
    }
  }

  async #command(id: string, verb: 'requeue' | 'delete'): Promise<void> {
    this.#ledger.write({ k: 'command', id, verb })
    try {
      await this.#client[verb](id)
    } catch (error) {
      if (!isQError(error)) throw error
    }
  }
}
