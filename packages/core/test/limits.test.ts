import { describe, expect, test } from 'vitest'
import {
  defineJob,
  disableConcurrentExecution,
  latencyTimeout,
  captureContext,
  createClient,
  createServer,
  memoryStorage,
} from '../src/index.ts'
import { gate, startFleet, until } from './fleet.ts'

describe('limits', () => {
  test('a concurrency key is shared by all servers, and jobs behind it are not held up', async () => {
    const running = new Map<string, number>()
    let most = 0
    const job = defineJob({
      name: 'job',
      concurrency: { key: (input: { owner: string }) => input.owner, limit: 2 },
      async run({ owner }) {
        running.set(owner, (running.get(owner) ?? 0) + 1)
        most = Math.max(most, running.get(owner)!)
        await new Promise((resolve) => setTimeout(resolve, 1))
        running.set(owner, running.get(owner)! - 1)
      },
    })
    const storage = memoryStorage()
    await using fleet = await startFleet({ storage, jobs: [job] })
    await using second = createServer({ storage, jobs: [job] })
    await second.start()
    await fleet.client.enqueueMany(
      job,
      Array.from({ length: 200 }, (_, n) => ({ owner: n < 150 ? 'ada' : 'bob' })),
    )
    await until(
      () => fleet.client.monitor.counts(),
      ({ byPhase }) => byPhase.succeeded === 200,
      15_000,
    )
    expect(most).toBe(2)
  })

  test('a rate lets its burst through at once and the rest evenly', async () => {
    const starts: number[] = []
    const job = defineJob({ name: 'job', rate: { limit: 5, per: 200 }, run: () => void starts.push(performance.now()) })
    await using fleet = await startFleet({ jobs: [job] })
    await fleet.client.enqueueMany(
      job,
      Array.from({ length: 12 }, () => undefined as never),
    )
    await until(
      () => starts.length,
      (length) => length === 12,
      10_000,
    )
    expect(starts[11]! - starts[0]!).toBeGreaterThan((7 / 5) * 200 * 0.8)
  })

  /** A job holds the key of order 7; another one with that key comes, and one with a key of its own. */
  async function busyOrder(onBusy: 'wait' | 'reschedule' | 'delete' | 'fail') {
    const started = gate()
    const release = gate()
    let runs = 0
    const job = defineJob({
      name: 'job',
      filters: [disableConcurrentExecution('order:{order.id}', { onBusy, delay: 10 })],
      async run(_input: { order: { id: number } }) {
        if (runs++ > 0) return 'second'
        started.open()
        await release.opened
        return 'first'
      },
    })
    const fleet = await startFleet({ jobs: [job] })
    const first = await fleet.client.enqueue(job, { order: { id: 7 } })
    await started.opened
    const other = await fleet.client.enqueue(job, { order: { id: 8 } })
    expect(await other.result({ timeout: '5s' })).toBe('second')
    const second = await fleet.client.enqueue(job, { order: { id: 7 } })
    return { fleet, first, second, release }
  }

  test('disableConcurrentExecution lets the second job wait, and says for whom', async () => {
    const { fleet, first, second, release } = await busyOrder('wait')
    await using _fleet = fleet
    const why = await until(
      () => fleet.client.explain(second.id),
      (found) => found!.blockers[0]!.code === 'limit',
    )
    expect(why!.blockers[0]).toMatchObject({
      jobs: [first.id],
      text: expect.stringContaining('"order:7" is full: 1 of 1') as string,
    })
    release.open()
    expect(await first.result({ timeout: '5s' })).toBe('first')
    expect(await second.result({ timeout: '5s' })).toBe('second')
  })

  test('disableConcurrentExecution reschedules the second job, as told', async () => {
    const { fleet, first, second, release } = await busyOrder('reschedule')
    await using _fleet = fleet
    await until(
      () => fleet.client.get(second.id),
      (found) => found!.history.some(({ state, reason }) => state === 'scheduled' && reason!.includes(first.id)),
    )
    release.open()
    expect(await second.result({ timeout: '5s' })).toBe('second')
    expect((await fleet.client.get(second.id))!.attempt).toBe(1)
  })

  test('disableConcurrentExecution deletes or fails the second job, as told', async () => {
    for (const [onBusy, code] of [
      ['delete', 'Q_JOB_DELETED'],
      ['fail', 'Q_JOB_FAILED'],
    ] as const) {
      const { fleet, first, second, release } = await busyOrder(onBusy)
      await using _fleet = fleet
      await expect(second.result({ timeout: '5s' })).rejects.toMatchObject({
        code,
        message: expect.stringContaining('another job with its key is running') as string,
      })
      release.open()
      expect(await first.result({ timeout: '5s' })).toBe('first')
    }
  })

  test('a key template whose field is missing refuses the job', async () => {
    const job = defineJob({
      name: 'job',
      filters: [disableConcurrentExecution('order:{id}')],
      run: (_: { id?: number }) => 1,
    })
    await using client = createClient({ storage: memoryStorage() })
    await expect(client.enqueue(job, {})).rejects.toThrow('needs the field "id"')
    const many = defineJob({
      name: 'many',
      filters: Array.from({ length: 5 }, (_, n) => disableConcurrentExecution(`k${n}`)),
      run: () => 1,
    })
    await expect(client.enqueue(many)).rejects.toThrow('has 5 limits')
  })

  test('a job that waited too long is deleted instead of run', async () => {
    const job = defineJob({ name: 'job', filters: [latencyTimeout(5)], run: () => 1 })
    const storage = memoryStorage()
    await using client = createClient({ storage })
    const handle = await client.enqueue(job)
    await until(
      async () => Date.now() - (await client.get(handle.id))!.createdAt.getTime(),
      (ms) => ms > 10,
    )
    await using server = createServer({ storage, jobs: [job] })
    await server.start()
    await expect(handle.result({ timeout: '5s' })).rejects.toThrow(/waited \d+ ms for its start/)
  })

  test('a job that expires before its start is never run', async () => {
    let runs = 0
    const job = defineJob({ name: 'job', run: () => void runs++ })
    const storage = memoryStorage()
    await using client = createClient({ storage })
    const handle = await client.enqueue(job, undefined, { expiresIn: 5 })
    await until(
      async () => Date.now() - (await client.get(handle.id))!.createdAt.getTime(),
      (ms) => ms > 10,
    )
    await using server = createServer({ storage, jobs: [job] })
    await server.start()
    await expect(handle.result({ timeout: '5s' })).rejects.toThrow('expired before start')
    expect(runs).toBe(0)
  })

  test('captured context is restored around the run', async () => {
    let tenant = 'none'
    const filter = captureContext({
      name: 'tenant',
      capture: () => tenant,
      restore: (value: string, run) => {
        tenant = `restored ${value}`
        return run()
      },
    })
    const job = defineJob({ name: 'job', filters: [filter], run: () => tenant })
    await using fleet = await startFleet({ jobs: [job] })
    tenant = 'acme'
    expect(await (await fleet.client.enqueue(job)).result({ timeout: '5s' })).toBe('restored acme')
  })

  test('queues keep their own limits, and refuse nonsense', async () => {
    let running = 0
    let most = 0
    const job = defineJob({
      name: 'job',
      queue: 'tight',
      async run() {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, 1))
        running--
      },
    })
    await using fleet = await startFleet({ jobs: [job] })
    await fleet.client.queues.set('tight', { maxActive: 2 })
    await fleet.client.enqueueMany(
      job,
      Array.from({ length: 50 }, () => undefined as never),
    )
    await until(
      () => fleet.client.monitor.counts(),
      ({ byPhase }) => byPhase.succeeded === 50,
    )
    expect(most).toBe(2)
    expect(await fleet.client.queues.list()).toMatchObject([{ name: 'tight', maxActive: 2 }])
    await fleet.client.queues.set('tight', { maxActive: null, rate: { limit: 1000, per: '1s' } })
    await expect(fleet.client.queues.set('tight', { maxActive: 0 })).rejects.toThrow('To stop a queue, pause it')
    await expect(fleet.client.queues.pause('a.*')).rejects.toMatchObject({ code: 'Q_NAME_INVALID' })
  })
})

describe('locks', () => {
  test('one holder at a time, with a fence that grows; a waiter is woken on release', async () => {
    await using client = createClient({ storage: memoryStorage() })
    const first = await client.lock('invoice:7', { ttl: '5s' })
    await expect(client.lock('invoice:7', { ttl: '5s' })).rejects.toMatchObject({ code: 'Q_LOCK_BUSY' })
    await expect(client.lock('invoice:7', { ttl: '5s', wait: 20 })).rejects.toMatchObject({ code: 'Q_LOCK_BUSY' })
    const waiting = client.lock('invoice:7', { ttl: '5s', wait: '5s' })
    expect(await first.release()).toBe(true)
    await using second = await waiting
    expect(second.fence).toBeGreaterThan(first.fence)
    expect(await first.release()).toBe(false)
  })

  test('a lock is renewed while it is held, and says so when it is lost', async () => {
    const storage = memoryStorage()
    await using client = createClient({ storage })
    const lock = await client.lock('short', { ttl: 100 })
    const from = performance.now()
    await until(
      () => performance.now() - from,
      (ms) => ms > 250,
    )
    expect(lock.signal.aborted).toBe(false)
    storage.locks.acquire = () => Promise.resolve(null)
    await until(() => lock.signal.aborted)
    expect(lock.signal.reason).toMatchObject({ code: 'Q_LOCK_LOST' })
    await lock.release()
  })
})
