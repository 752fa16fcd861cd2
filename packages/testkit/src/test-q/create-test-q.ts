import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type {
  Client,
  Codec,
  Duration,
  Filter,
  JobDefinition,
  Logger,
  MemoryStorage,
  Provided,
  Server,
  ServerQueues,
} from '@q/core'
import { createClient, createServer, memoryStorage, parseDuration } from '@q/core'
import { createWire } from '@q/core/testing'
import { ManualClock, settled } from '../manual-clock.ts'
import type { TestJob } from './created-jobs.ts'
import { CreatedJobs } from './created-jobs.ts'
import type { Expectation, ExpectedInput } from './expectations.ts'
import { expectEnqueued, expectNone } from './expectations.ts'

export interface TestQOptions {
  /** What the server can run. Those without `run` get their work by `q.server.handle`, before time moves. */
  readonly jobs: readonly JobDefinition<never, unknown>[]
  /** What time it is at the start. Default 2026-01-01T00:00:00Z. */
  readonly now?: string | number | Date | undefined
  /** Of the client and of the server. */
  readonly filters?: readonly Filter[] | undefined
  readonly queues?: ServerQueues | undefined
  readonly concurrency?: number | undefined
  readonly provide?: Provided | undefined
  readonly codec?: Codec | undefined
  readonly logger?: Logger | undefined
  /** Of everything random: ids, jitter. The same seed gives the same run. Default 1. */
  readonly seed?: number | undefined
}

export interface DrainOptions {
  /** How long handlers may take, in real time. Default '5s'. */
  readonly timeout?: Duration | undefined
}

/** A client and a server on a storage in memory, on a clock that stands still: nothing runs until `advance` or `drain`. */
export interface TestQ extends AsyncDisposable {
  readonly client: Client<MemoryStorage>
  readonly server: Server
  readonly storage: MemoryStorage
  readonly clock: ManualClock
  /** Lets this much time pass; what falls due on the way happens at its instant, in order. */
  advance(duration: Duration): Promise<void>
  /** Runs what can run now, and what follows from it, until nothing is ready or running. No time passes. */
  drain(options?: DrainOptions): Promise<void>
  /** Every job that was created so far, oldest first, as it stands now. */
  jobs<Input, Result>(job?: JobDefinition<Input, Result>): readonly TestJob<Input>[]
  /** Fails unless such a job was created, whatever has become of it since. Of its input, only what is given is compared. */
  expectEnqueued<Input, Result>(
    job: JobDefinition<Input, Result>,
    input?: ExpectedInput<Input>,
    expected?: Expectation,
  ): TestJob<Input>
  /** Fails if such a job was created; without a job, if any was. */
  expectNone<Input, Result>(
    job?: JobDefinition<Input, Result>,
    input?: ExpectedInput<Input>,
    expected?: Omit<Expectation, 'times'>,
  ): void
}

/**
 * Everything a test of jobs needs, in one process, without a database and without waiting.
 *
 * @example
 * await using q = await createTestQ({ jobs: [sendMail], now: '2027-03-28T00:00:00Z' })
 * await signUp(q.client, 'ada@example.com')
 * q.expectEnqueued(sendMail, { to: 'ada@example.com' })
 * await q.advance('10m')
 */
export async function createTestQ(options: TestQOptions): Promise<TestQ> {
  const { jobs, filters, codec, logger, now, seed } = options
  const clock = new ManualClock(now, seed)
  const created = new CreatedJobs(memoryStorage({ clock }), createWire(codec), () => clock.now())
  const { storage } = created
  const client = createClient({ storage, clock, filters, codec, logger, name: 'test' })
  const server = createServer({
    storage,
    clock,
    jobs,
    filters,
    codec,
    logger,
    queues: options.queues,
    concurrency: options.concurrency,
    provide: options.provide,
    name: 'test-server',
    // Nobody else is there to take its jobs over: long, so that days pass quickly.
    lease: '5m',
    heartbeat: '1m',
  })
  await storage.start()
  let started = false
  const start = async (): Promise<void> => {
    await server.start()
    started = true
  }

  return {
    client,
    server,
    storage,
    clock,
    async advance(duration) {
      const ms = parseDuration(duration, 'advance')
      await start()
      await clock.advance(ms)
      await created.refresh()
    },
    async drain({ timeout = '5s' } = {}) {
      await start()
      await drain(clock, server, created, parseDuration(timeout, 'timeout'))
    },
    jobs: <Input>(job?: { readonly name: string }) => created.list<Input>(job?.name),
    expectEnqueued: (job, input, expected) => expectEnqueued(created, job, input, expected),
    expectNone: (job, input, expected) => expectNone(created, job, input, expected),
    async [Symbol.asyncDispose]() {
      await client.close()
      if (started) await stop(clock, server)
      await storage.close()
    },
  }
}

/** Handlers may wait for things outside of this clock, so this looks again in real time until none is running. */
async function drain(clock: ManualClock, server: Server, created: CreatedJobs, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    await clock.advance(0)
    await settled()
    if (clock.nextInMs === 0) continue
    if (server.health().running === 0) break
    if (performance.now() > deadline) {
      await created.refresh()
      const running = created.list().filter(({ state }) => state === 'processing')
      const names = running.map(({ id, name }) => `"${name}" (${id})`).join(', ')
      assert.fail(
        `drain() gave up after ${timeoutMs} ms: ${names} did not end. Let the handler end, or advance the clock it waits for.`,
      )
    }
    await pause(1)
  }
  await created.refresh()
}

/** The deadlines of a stop are on the clock that stands still, so it is moved until the server has stopped. */
async function stop(clock: ManualClock, server: Server): Promise<void> {
  let stopped = false
  const stopping = server.stop({ grace: 0 }).finally(() => (stopped = true))
  while (!stopped) {
    await clock.step()
    await settled()
  }
  await stopping
}
