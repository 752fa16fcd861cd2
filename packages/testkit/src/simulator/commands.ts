import type { EnqueueOptions, JobHandle, QErrorCode } from '@q/core'
import { isQError, jobIdFrom } from '@q/core'
import type { Random } from '../differential/random.ts'
import type { Auditor } from './auditor.ts'
import { Violation } from './violation.ts'
import type { RunningClient } from './fleet.ts'
import { queues, randomJob, randomWork, repeated } from './jobs.ts'

/** What storages and networks may answer to anything. */
const expected: readonly QErrorCode[] = ['Q_AMBIGUOUS', 'Q_STORAGE_UNAVAILABLE', 'Q_CLOSED']

/** What people do to jobs, at random. */
export class Commands {
  readonly #random: Random
  readonly #auditor: Auditor
  readonly #fail: (error: unknown) => void
  /** Ids that a client was told are stored, the newest last. */
  readonly #known: string[] = []
  readonly #waits = new Set<Promise<unknown>>()
  #n = 0

  constructor(random: Random, auditor: Auditor, fail: (error: unknown) => void) {
    this.#random = random
    this.#auditor = auditor
    this.#fail = fail
  }

  /** One command. What comes of it is checked when it comes; a process that dies never hears. */
  run(by: RunningClient): void {
    const command = this.#random.weighted<(by: RunningClient) => Promise<unknown>>([
      [40, (from) => this.#enqueue(from)],
      [8, (from) => this.#enqueueMany(from)],
      [8, (from) => this.#schedule(from)],
      [14, (from) => this.#continue(from)],
      [7, ({ client }) => client.requeue(this.#anyId())],
      [5, ({ client }) => client.delete(this.#anyId())],
      [7, (from) => this.#cancel(from)],
      [3, ({ client }) => client.reschedule(this.#anyId(), { in: this.#random.int(0, 4_000) })],
      [6, (from) => this.#startOver(from)],
      [5, (from) => this.#changeQueue(from)],
      [8, (from) => this.#cleanUp(from)],
      [8, (from) => this.#changeRecurring(from)],
      [3, (from) => this.#bulk(from)],
      [3, (from) => this.#lock(from)],
      [5, (from) => this.#awaitResult(from)],
      [2, ({ client }) => client.explain(this.#anyId())],
      [2, ({ client }) => client.get(this.#anyId())],
    ])
    const done = command(by).catch((error: unknown) => {
      if (!expected.some((code) => isQError(error, code))) this.#fail(error)
    })
    this.#waits.add(done)
    void done.then(() => this.#waits.delete(done))
  }

  #anyId(): string {
    const random = this.#random
    if (this.#known.length === 0) return jobIdFrom('nobody')
    const interesting = random.chance(0.3) ? this.#auditor.interesting() : []
    if (interesting.length > 0) return random.pick(interesting).spec.id
    // Otherwise mostly one of the last, which are still under way.
    return random.chance(0.7)
      ? this.#known.at(-random.int(1, Math.min(20, this.#known.length)))!
      : random.pick(this.#known)
  }

  #options(): EnqueueOptions {
    const random = this.#random
    return random.weighted<EnqueueOptions>([
      [60, {}],
      [10, { priority: random.pick(['low', 'high', 'normal']) }],
      [8, { id: jobIdFrom(`own ${random.int(1, 30)}`) }],
      [8, { expiresIn: random.int(50, 4_000) }],
      [4, { keep: { succeeded: '20s', failed: '30s', deleted: '10s' } }],
      [4, { queue: random.pick(queues) }],
      [6, { tags: [random.pick(['x', 'y'])] }],
    ])
  }

  #accept(handle: JobHandle<unknown>): void {
    this.#auditor.mustKnow(handle.conflict ?? handle.id)
    if (handle.conflict === undefined && !this.#known.includes(handle.id)) this.#known.push(handle.id)
  }

  async #enqueue({ client }: RunningClient): Promise<void> {
    const job = randomJob(this.#random)
    const options = this.#options()
    const work = randomWork(this.#random, job, ++this.#n)
    try {
      this.#accept(await client.enqueue(job, work, options))
    } catch (error) {
      // Said to be certainly not stored: then it must not turn up later.
      if (isQError(error, 'Q_STORAGE_UNAVAILABLE') && options.id !== undefined && !this.#auditor.jobs.has(options.id))
        this.#auditor.mustNotKnow(options.id)
      throw error
    }
  }

  async #enqueueMany({ client }: RunningClient): Promise<void> {
    const job = randomJob(this.#random)
    const works = Array.from({ length: this.#random.int(2, 12) }, () => randomWork(this.#random, job, ++this.#n))
    for (const handle of await client.enqueueMany(job, works)) this.#accept(handle)
  }

  async #schedule({ client }: RunningClient): Promise<void> {
    const job = randomJob(this.#random)
    const delay = this.#random.chance(0.05) ? 86_400_000 : this.#random.int(0, 6_000)
    this.#accept(
      await client.schedule(job, randomWork(this.#random, job, ++this.#n), { ...this.#options(), in: delay }),
    )
  }

  async #continue({ client }: RunningClient): Promise<void> {
    const job = randomJob(this.#random)
    const parents = Array.from({ length: this.#random.int(1, 3) }, () => this.#anyId())
    const on = this.#random.pick(['succeeded', 'finished', 'failed'] as const)
    const delay = this.#random.chance(0.3) ? this.#random.int(0, 1_000) : undefined
    const options = {
      on,
      in: delay,
      id: this.#random.chance(0.2) ? jobIdFrom(`child ${this.#random.int(1, 30)}`) : undefined,
    }
    if (parents.some((parent) => parent === options.id)) return
    try {
      this.#accept(await client.continueWith(parents, job, randomWork(this.#random, job, ++this.#n), options))
    } catch (error) {
      const areThere = parents.every((id) => this.#auditor.jobs.get(id)?.isGone === false)
      if (!isQError(error, 'Q_UNKNOWN_PARENT') || areThere) throw error
    }
  }

  async #cancel({ client }: RunningClient): Promise<void> {
    const id = this.#anyId()
    const { stopped, how } = await client.cancel(id, { grace: this.#random.pick([0, 300, 1_500]) })
    const job = this.#auditor.jobs.get(id)
    if (how === 'missing' || how === 'pending' || job === undefined) return
    // Somebody may have asked for it again since.
    if (!stopped && !job.hasEnded)
      throw new Violation(`the cancel of job ${id} was answered "${how}"; it is ${job.phase}`)
  }

  /** While a run goes on, its job is taken from it and runs again. */
  async #startOver({ client }: RunningClient): Promise<void> {
    const id = this.#anyId()
    await client.delete(id)
    await client.requeue(id)
  }

  /** A queue stands still, some that wait in it are thrown out, and it goes on. */
  async #cleanUp({ client, process }: RunningClient): Promise<void> {
    const random = this.#random
    const crowded = this.#auditor.interesting().filter((job) => job.phase === 'ready')
    const queue = crowded.length > 0 ? random.pick(crowded).queue : random.pick(queues)
    await client.queues.pause(queue)
    await process.sleep(random.int(100, 1_500))
    const waiting = this.#auditor.interesting().filter((job) => job.phase === 'ready' && job.queue === queue)
    for (const { spec } of random.some(waiting, random.int(1, 3))) await client.delete(spec.id)
    await client.queues.resume(queue)
  }

  async #changeQueue({ client }: RunningClient): Promise<void> {
    const queue = this.#random.pick(queues)
    const change = this.#random.weighted<() => Promise<void>>([
      [3, () => client.queues.pause(queue)],
      [2, () => client.queues.pause(queue, { until: new Date(this.#auditor.now + this.#random.int(200, 4_000)) })],
      [4, () => client.queues.resume(queue)],
      [3, () => client.queues.set(queue, { maxActive: this.#random.pick([1, 2, 3, null]) })],
      [3, () => client.queues.set(queue, { rate: this.#random.pick([{ limit: 5, per: '1s' }, null]) })],
    ])
    await change()
  }

  async #changeRecurring({ client: { recurring } }: RunningClient): Promise<void> {
    const random = this.#random
    const id = `every ${random.int(1, 3)}`
    const change = random.weighted<() => Promise<unknown>>([
      [
        6,
        () =>
          recurring.put(id, {
            job: repeated,
            // Short, or those that wait for each other would never catch up.
            input: { ...randomWork(random, repeated, ++this.#n), ms: random.int(0, 400) },
            every: random.pick([1_000, 2_500]),
            misfire: random.pick(['once', 'all', 'skip']),
            overlap: random.pick(['allow', 'skip', 'wait']),
            jitter: random.pick([undefined, 500]),
          }),
      ],
      [
        2,
        () =>
          recurring.pause(
            id,
            random.chance(0.5) ? {} : { until: new Date(this.#auditor.now + random.int(500, 5_000)) },
          ),
      ],
      [3, () => recurring.resume(id)],
      [3, () => recurring.trigger(id)],
      [1, () => recurring.remove(id)],
    ])
    await change().catch((error: unknown) => {
      if (!isQError(error, 'Q_CONFLICT')) throw error
    })
  }

  async #bulk({ client }: RunningClient): Promise<void> {
    const bulk = this.#random.weighted<() => Promise<unknown>>([
      [4, () => client.jobs.where({ phase: 'failed' }).requeue()],
      [2, () => client.jobs.where({ tag: this.#random.pick(['x', 'y']) }).cancel({ grace: 200 })],
      [2, () => client.jobs.where({ tag: this.#random.pick(['x', 'y']) }).delete()],
      [1, () => client.jobs.where({ name: 'note', phase: 'ready' }).delete()],
    ])
    await bulk()
  }

  async #lock({ client, process }: RunningClient): Promise<void> {
    try {
      const lock = await client.lock(`lock ${this.#random.int(1, 2)}`, {
        ttl: '1s',
        wait: this.#random.pick([undefined, '2s']),
      })
      await process.sleep(this.#random.int(0, 2_000))
      await lock.release()
    } catch (error) {
      if (!isQError(error, 'Q_LOCK_BUSY')) throw error
    }
  }

  async #awaitResult({ client }: RunningClient): Promise<void> {
    const id = this.#anyId()
    const n: unknown = await client
      .handle(id)
      .result({ timeout: '10s' })
      .catch((error: unknown) => {
        const ended = ['Q_JOB_FAILED', 'Q_JOB_DELETED', 'Q_TIMEOUT', 'Q_JOB_NOT_FOUND'] as const
        if (!ended.some((code) => isQError(error, code))) throw error
      })
    if (n === undefined) return
    const { payload } = this.#auditor.jobs.get(id)!.spec
    const work = JSON.parse(String(payload)) as { n: number }
    if (n !== work.n) throw new Violation(`job ${id} has the result ${String(n)}; its run returned ${work.n}`)
  }
}
