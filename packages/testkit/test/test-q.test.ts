// oxlint-disable vitest/expect-expect -- the expectations are those of what is tested
import { AssertionError } from 'node:assert'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { cancelJob, defineFilter, defineJob, exponential, snooze, structuredCodec } from '@q/core'
import { createTestQ } from '../src/index.ts'

const mail = defineJob({ name: 'mail.send', queue: 'mail', run: (input: { to: string; lang?: string }) => input.to })
const idle = defineJob({ name: 'idle', run: () => undefined })

/** What an expectation says when it is not met. */
function saidBy(expectation: () => unknown): string {
  try {
    expectation()
  } catch (error) {
    if (error instanceof AssertionError) return error.message
    throw error
  }
  throw new Error('the expectation was met')
}

describe('time', () => {
  test('nothing runs until it is asked to', async () => {
    await using q = await createTestQ({ jobs: [mail] })
    await q.client.enqueue(mail, { to: 'ada' })
    await pause(5)
    q.expectEnqueued(mail, { to: 'ada' }, { state: 'enqueued' })
    await q.drain()
    q.expectEnqueued(mail, { to: 'ada' }, { state: 'succeeded', queue: 'mail' })
  })

  test('a scheduled job runs at its instant and not a millisecond before', async () => {
    await using q = await createTestQ({ jobs: [mail], now: '2027-03-28T00:00:00Z' })
    const handle = await q.client.schedule(mail, { to: 'ada' }, { in: '10m' })
    q.expectEnqueued(mail, { to: 'ada' }, { at: '2027-03-28T00:10:00Z' })
    await q.advance(599_999)
    q.expectEnqueued(mail, { to: 'ada' }, { state: 'scheduled' })
    await q.advance(1)
    q.expectEnqueued(mail, { to: 'ada' }, { state: 'succeeded' })
    expect((await q.client.get(handle.id))!.startedAt).toEqual(new Date('2027-03-28T00:10:00Z'))
    expect(q.clock.now()).toBe(Date.parse('2027-03-28T00:10:00Z'))
  })

  test('drain follows what jobs set off, and leaves what is due later', async () => {
    const first = defineJob({
      name: 'first',
      async run(_input: void, ctx) {
        await ctx.client.enqueue(mail, { to: 'ada' })
        await ctx.client.schedule(mail, { to: 'bob' }, { in: '1h' })
      },
    })
    await using q = await createTestQ({ jobs: [first, mail] })
    const parent = await q.client.enqueue(first)
    await q.client.continueWith(parent, mail, { to: 'eve' })
    await q.drain()
    q.expectEnqueued(mail, { to: 'ada' }, { state: 'succeeded' })
    q.expectEnqueued(mail, { to: 'eve' }, { state: 'succeeded' })
    q.expectEnqueued(mail, { to: 'bob' }, { state: 'scheduled' })
  })

  test('retries come back when their wait is over', async () => {
    const flaky = defineJob({
      name: 'flaky',
      retry: { attempts: 3, backoff: exponential({ base: '1m', jitter: 'none' }) },
      run(_input: void, ctx) {
        if (ctx.attempt < 3) throw new Error('not yet')
      },
    })
    await using q = await createTestQ({ jobs: [flaky] })
    await q.client.enqueue(flaky)
    await q.drain()
    expect(q.expectEnqueued(flaky, undefined, { state: 'scheduled' }).attempt).toBe(1)
    await q.advance('1m')
    expect(q.expectEnqueued(flaky, undefined, { state: 'scheduled' }).attempt).toBe(2)
    await q.advance('2m')
    expect(q.expectEnqueued(flaky, undefined, { state: 'succeeded' }).attempt).toBe(3)
  })

  test('a recurring job makes one job for each of its instants', async () => {
    await using q = await createTestQ({ jobs: [idle], now: '2027-03-28T00:00:00Z' })
    await q.client.recurring.put('hourly', { job: idle, cron: '0 * * * *' })
    await q.advance('1d')
    q.expectEnqueued(idle, undefined, { times: 24, state: 'succeeded' })
  })

  test('a job in a paused queue stays, and drain comes back all the same', async () => {
    await using q = await createTestQ({ jobs: [mail] })
    await q.client.queues.pause('mail')
    await q.client.enqueue(mail, { to: 'ada' })
    await q.drain()
    q.expectEnqueued(mail, { to: 'ada' }, { state: 'enqueued' })
    await q.client.queues.resume('mail')
    await q.drain()
    q.expectEnqueued(mail, { to: 'ada' }, { state: 'succeeded' })
  })

  test('drain waits for handlers that wait for the world outside', async () => {
    const slow = defineJob({ name: 'slow', run: async () => void (await pause(20)) })
    await using q = await createTestQ({ jobs: [slow] })
    await q.client.enqueue(slow)
    await q.drain()
    q.expectEnqueued(slow, undefined, { state: 'succeeded' })
  })

  test('drain gives up on a handler that does not end, and names its job', async () => {
    const held = Promise.withResolvers<void>()
    const stuck = defineJob({ name: 'stuck', run: () => held.promise })
    await using q = await createTestQ({ jobs: [stuck] })
    const { id } = await q.client.enqueue(stuck)
    await expect(q.drain({ timeout: 30 })).rejects.toThrow(`"stuck" (${id}) did not end`)
    held.resolve()
    await q.drain()
    q.expectEnqueued(stuck, undefined, { state: 'succeeded' })
  })

  test('a handler that never ends does not keep the test from ending', async () => {
    const stuck = defineJob({ name: 'stuck', run: () => new Promise<void>(() => {}) })
    const q = await createTestQ({ jobs: [stuck] })
    await q.client.enqueue(stuck)
    await q.advance(0)
    await q[Symbol.asyncDispose]()
    expect(q.server.health().status).toBe('stopped')
  })
})

describe('expectations', () => {
  test('compare the given part of an input, at any depth', async () => {
    const order = defineJob({ name: 'order', run: (_input: { id: string; lines: { sku: string; n: number } }) => {} })
    await using q = await createTestQ({ jobs: [order] })
    await q.client.enqueue(order, { id: '7', lines: { sku: 'tea', n: 2 } })
    expect(q.expectEnqueued(order, { lines: { sku: 'tea' } }).input.id).toBe('7')
    q.expectEnqueued(order, ({ lines }) => lines.n > 1)
    q.expectNone(order, { lines: { sku: 'coffee' } })
    expect(() => q.expectEnqueued(order, { lines: { n: 3 } })).toThrow(AssertionError)
  })

  test('say what is there when they are not met', async () => {
    await using q = await createTestQ({ jobs: [mail, idle], now: '2027-03-28T00:00:00Z' })
    expect(saidBy(() => q.expectEnqueued(mail, { to: 'ada' }))).toBe(
      'Nobody enqueued "mail.send" with { to: \'ada\' }.\nNo job was created at all.',
    )
    await q.client.enqueue(idle)
    await q.client.schedule(mail, { to: 'bob' }, { in: '1h', tags: ['news'] })
    expect(saidBy(() => q.expectEnqueued(mail, { to: 'ada' }, { queue: 'mail' }))).toBe(
      [
        "Nobody enqueued \"mail.send\" with { to: 'ada' }, { queue: 'mail' }.",
        'There are 2 jobs:',
        "  - mail.send { to: 'bob' } · scheduled for 2027-03-28T01:00:00.000Z · queue mail · tags news",
        '  - idle · enqueued · queue default',
      ].join('\n'),
    )
    expect(saidBy(() => q.expectEnqueued(mail, undefined, { times: 2 }))).toContain('2 times "mail.send", and found 1')
    expect(saidBy(() => q.expectNone())).toContain('Expected no job at all, and found 2.')
    expect(saidBy(() => q.expectNone(mail, { to: 'bob' }))).toContain('Expected no "mail.send" with { to: \'bob\' }')
  })

  test('know jobs however they came to be: by filters, without waiting, with another codec', async () => {
    const audit = defineJob({ name: 'audit', run: (_input: { of: string }) => {} })
    const dated = defineJob({ name: 'dated', run: (_input: { on: Date }) => {} })
    const audited = defineFilter({
      name: 'audited',
      stateApplied: (ctx) =>
        void (ctx.state.name === 'succeeded' && ctx.job.name === 'idle' && ctx.enqueue(audit, { of: ctx.job.id })),
    })
    await using q = await createTestQ({ jobs: [idle, audit, dated], filters: [audited], codec: structuredCodec })
    const { id } = q.client.enqueueSync(idle)
    await q.client.enqueue(dated, { on: new Date(5) })
    q.expectEnqueued(idle, undefined, { state: 'enqueued' })
    q.expectEnqueued(dated, { on: new Date(5) })
    await q.drain()
    q.expectEnqueued(audit, { of: id })
    expect(q.jobs().map(({ name, state }) => `${name} ${state}`)).toEqual([
      'idle succeeded',
      'dated succeeded',
      'audit succeeded',
    ])
  })

  test('see commands at once', async () => {
    await using q = await createTestQ({ jobs: [mail] })
    const { id } = await q.client.enqueue(mail, { to: 'ada' })
    await q.client.delete(id, { reason: 'not needed' })
    q.expectEnqueued(mail, { to: 'ada' }, { state: 'deleted' })
    await q.client.requeue(id)
    q.expectEnqueued(mail, { to: 'ada' }, { state: 'enqueued' })
  })
})

test('outcomes, what handlers are given, and work attached later behave as on any server', async () => {
  const quit = defineJob({ name: 'quit', run: () => cancelJob('nothing to do') })
  const later = defineJob({ name: 'later', run: (_input: void, ctx) => (ctx.createdAt ? snooze('1h') : undefined) })
  const given = defineJob<{ n: number }, number>()({ name: 'given' })
  await using q = await createTestQ({ jobs: [quit, later, given], provide: { factor: 3 } })
  q.server.handle(given, ({ n }, ctx) => n * (ctx.use('factor') as number))
  const handle = await q.client.enqueue(given, { n: 14 })
  await q.client.enqueueMany(quit, [undefined])
  await q.client.enqueue(later)
  await q.drain()
  expect(await handle.result()).toBe(42)
  q.expectEnqueued(quit, undefined, { state: 'deleted' })
  q.expectEnqueued(later, undefined, { state: 'scheduled' })
})

test('the same seed makes the same run, another seed another', async () => {
  const run = async (seed: number): Promise<string> => {
    const flaky = defineJob({ name: 'flaky', run: () => Promise.reject(new Error('no')) })
    await using q = await createTestQ({ jobs: [flaky], seed })
    const { id } = await q.client.enqueue(flaky)
    await q.advance('1d')
    return JSON.stringify([id, (await q.client.get(id))!.history.map(({ state, at }) => [state, at])])
  }
  const first = await run(7)
  expect(await run(7)).toBe(first)
  expect(await run(8)).not.toBe(first)
})
