import { describe, expect, test, vi } from 'vitest'
import {
  createClient,
  createServer,
  defaultClient,
  defineJob,
  defineState,
  defineFilter,
  memoryStorage,
  openStorage,
  registerStorage,
  setDefaultClient,
  QError,
  JobFailedError,
  isQError,
} from '../src/index.ts'
import { percentile } from '../src/storage/index.ts'
import { gate, startFleet, until } from './fleet.ts'

describe('watching a job', () => {
  test('a subscriber sees states and logs complete and in order, and ends after the final state', async () => {
    const job = defineJob({
      name: 'job',
      run: (_: void, ctx) => {
        for (let n = 0; n < 50; n++) ctx.log.info(`line ${n}`, { n })
        ctx.progress(1)
      },
    })
    await using fleet = await startFleet({ jobs: [job] })
    const handle = await fleet.client.schedule(job, undefined, { in: 20 })
    const states: string[] = []
    const lines: string[] = []
    for await (const event of handle.subscribe()) {
      if (event.type === 'state') states.push(event.state)
      if (event.type === 'log') lines.push(event.text)
    }
    expect(states).toEqual(['scheduled', 'enqueued', 'processing', 'succeeded'])
    expect(lines).toEqual(Array.from({ length: 50 }, (_, n) => `line ${n}`))
    const late = []
    for await (const event of handle.subscribe()) late.push(event)
    expect(late).toMatchObject([{ type: 'state', state: 'succeeded' }])
  })

  test('a subscriber hangs on no lost notification, and stops when told', async () => {
    const storage = memoryStorage()
    storage.wakeups.watch = () => Promise.resolve({ close: () => Promise.resolve() })
    const job = defineJob({ name: 'job', run: () => 'done' })
    await using fleet = await startFleet({ storage, jobs: [job] })
    const handle = await fleet.client.schedule(job, undefined, { in: 10 })
    const events = []
    for await (const event of handle.subscribe()) events.push(event)
    expect(events.at(-1)).toMatchObject({ state: 'succeeded' })
    const waiting = await fleet.client.schedule(job, undefined, { in: '1h' })
    const ends = new AbortController()
    const iterating = (async () => {
      for await (const _event of waiting.subscribe({ signal: ends.signal })) ends.abort(new Error('enough'))
    })()
    await expect(iterating).rejects.toThrow('enough')
  })

  test('waiting for a result can time out or be aborted, and the job goes on', async () => {
    await using client = createClient({ storage: memoryStorage() })
    const job = defineJob({ name: 'job', run: () => 1 })
    const handle = await client.enqueue(job)
    await expect(handle.result({ timeout: 10 })).rejects.toMatchObject({ code: 'Q_TIMEOUT' })
    await expect(handle.result({ signal: AbortSignal.abort(new Error('left')) })).rejects.toThrow('left')
    await expect(client.handle('01M00000000000000000000000').result()).rejects.toMatchObject({
      code: 'Q_JOB_NOT_FOUND',
    })
    expect(await client.handle('01M00000000000000000000000').state()).toBeNull()
    expect(await client.get('01M00000000000000000000000')).toBeNull()
    expect((await handle.state())!.name).toBe('enqueued')
  })

  test('progress outside 0…1 is a mistake of the handler', async () => {
    const job = defineJob({
      name: 'job',
      retry: false,
      run: (value: number | null, ctx) => ctx.progress(value ?? Number.NaN),
    })
    await using fleet = await startFleet({ jobs: [job] })
    for (const value of [-0.1, 1.1, null])
      await expect((await fleet.client.enqueue(job, value)).result({ timeout: '5s' })).rejects.toMatchObject({
        cause: { name: 'RangeError' },
      })
  })
})

describe('explaining why a job does not run', () => {
  test('names the first reason: nobody there, nobody listens, running, ended, behind others', async () => {
    const release = gate()
    const job = defineJob({ name: 'job', run: () => release.opened })
    const storage = memoryStorage()
    const client = createClient({ storage })
    const first = await client.enqueue(job, undefined, { queue: 'a' })
    const code = async (id: string) => (await client.explain(id))!.blockers[0]!
    expect((await code(first.id)).text).toBe('No server is running.')
    const server = createServer({ storage, jobs: [job], queues: ['a'], concurrency: 1 })
    await server.start()
    const elsewhere = await client.enqueue(job, undefined, { queue: 'b' })
    expect((await code(elsewhere.id)).text).toBe(
      'No server listens to the queue "b"; the one that runs listens to "a".',
    )
    await until(
      () => code(first.id),
      ({ code: seen }) => seen === 'running',
    )
    const second = await client.enqueue(job, undefined, { queue: 'a' })
    expect(await code(second.id)).toMatchObject({ code: 'next' })
    const third = await client.enqueue(job, undefined, { queue: 'a' })
    expect((await code(third.id)).text).toBe('1 job is ahead of it in its queue.')
    release.open()
    await until(
      () => code(first.id),
      ({ code: seen }) => seen === 'finished',
    )
    expect(await client.explain('01M00000000000000000000000')).toBeNull()
    await server.stop()
  })
})

describe('the monitor', () => {
  test('shows counts, lists, errors, series, servers and names', async () => {
    const good = defineJob({ name: 'good', tags: ['t1'], run: () => 1 })
    const bad = defineJob({
      name: 'bad',
      retry: false,
      run: (n: number) => {
        throw new TypeError(`broken order ${n}`)
      },
    })
    await using fleet = await startFleet({ jobs: [good, bad] })
    const { monitor } = fleet.client
    await fleet.client.enqueueMany(
      good,
      Array.from({ length: 5 }, () => undefined as never),
    )
    await fleet.client.enqueueMany(bad, [1, 2, 3])
    const counts = await until(
      () => monitor.counts(),
      ({ byPhase }) => byPhase.succeeded === 5 && byPhase.failed === 3,
    )
    expect(counts.exact).toBe(true)
    const { items } = await monitor.jobs({ phase: ['failed'] }, { limit: 2 })
    expect(items).toHaveLength(2)
    expect(items[0]).toMatchObject({
      name: 'bad',
      state: { name: 'failed', error: { preview: expect.stringMatching(/^TypeError: broken order/) as string } },
    })
    const errors = await monitor.errors({ limit: 10 })
    expect(errors.items).toMatchObject([{ count: 3, names: ['bad'] }])
    const [bucket] = await monitor.series({
      by: 'all',
      from: counts.at - 120_000,
      to: counts.at + 60_000,
      step: 'hour',
    })
    expect(bucket).toMatchObject({ created: 8, ok: 5, failed: 3 })
    expect(percentile(bucket!.runMs, 0.95)).not.toBeNull()
    expect(await monitor.servers()).toMatchObject([
      { name: 'worker', silent: false, info: { concurrency: 20, queues: ['default'], jobs: ['good@1', 'bad@1'] } },
    ])
    expect(await monitor.names('job')).toEqual(['bad', 'good'])
    expect(await monitor.names('tag', 't')).toEqual(['t1'])
    expect(await monitor.changes()).toBeGreaterThan(0)
    expect(await monitor.count({ name: ['good'] }, 3)).toEqual({ value: 3, exact: false })
  })
})

describe('states of one’s own', () => {
  test('a defined state is elected, stored, shown, and left by a command', async () => {
    defineState({ name: 'needs-approval', phase: 'scheduled', toTransition: () => ({ delay: 3_600_000 }) })
    const job = defineJob({
      name: 'job',
      filters: [
        defineFilter({
          name: 'approval',
          electState: (ctx) => (ctx.from === null ? { name: 'needs-approval', reason: 'above the limit' } : undefined),
        }),
      ],
      run: () => 'approved',
    })
    await using fleet = await startFleet({ jobs: [job] })
    const handle = await fleet.client.enqueue(job)
    expect(await fleet.client.get(handle.id)).toMatchObject({
      state: 'needs-approval',
      reason: 'above the limit',
      status: 'pending',
    })
    expect(await fleet.client.requeue(handle.id, { from: 'needs-approval' })).toEqual({ applied: true })
    expect(await handle.result({ timeout: '5s' })).toBe('approved')
  })

  test('a job that a filter parks stays with people until a command, whatever servers know it', async () => {
    defineState({ name: 'needs-somebody', phase: 'parked' })
    let isMended = false
    const job = defineJob({
      name: 'job',
      filters: [
        defineFilter({
          name: 'ask people',
          electState: ({ candidate }) =>
            candidate.name === 'failed' ? { name: 'needs-somebody', reason: 'no stamp' } : undefined,
        }),
      ],
      run() {
        if (!isMended) throw new Error('the form lacks a stamp')
        return 'cleared'
      },
    })
    await using fleet = await startFleet({ jobs: [job] })
    const handle = await fleet.client.enqueue(job)
    for await (const event of handle.subscribe()) {
      if (event.type === 'state' && event.state === 'needs-somebody') break
    }
    expect((await fleet.client.explain(handle.id))!.blockers[0]).toEqual({
      code: 'parked',
      text: 'It is in the state "needs-somebody" (no stamp) until somebody requeues or deletes it.',
    })
    isMended = true
    expect(await fleet.client.requeue(handle.id, { from: 'needs-somebody' })).toEqual({ applied: true })
    expect(await handle.result({ timeout: '5s' })).toBe('cleared')
  })

  test('the framework’s names and unsuitable phases are refused, and unknown states before anything is stored', async () => {
    expect(() => defineState({ name: 'failed', phase: 'failed' })).toThrow('belongs to the framework')
    expect(() => defineState({ name: 'mine', phase: 'active' })).toThrow('only a claim makes a job active')
    const job = defineJob({
      name: 'job',
      run: () => 1,
      filters: [defineFilter({ name: 'x', electState: () => ({ name: 'nobody-knows' }) })],
    })
    await using client = createClient({ storage: memoryStorage() })
    await expect(client.enqueue(job)).rejects.toThrow('No state is called "nobody-knows"')
    const done = defineJob({
      name: 'done',
      run: () => 1,
      filters: [defineFilter({ name: 'x', electState: () => ({ name: 'succeeded', result: 1 }) })],
    })
    await expect(client.enqueue(done)).rejects.toThrow('To refuse a job, throw in the filter')
  })
})

describe('opening storages', () => {
  test('a URL opens what it names, and anything else is a clear error without its secrets', async () => {
    await using storage = await openStorage('memory:')
    expect(storage.capabilities.durability).toBe('none')
    await expect(openStorage('memory:shared')).rejects.toThrow('Write just "memory:"')
    await expect(openStorage('mongodb://user:secret@host/')).rejects.toThrow(
      /The scheme "mongodb:" names no storage.*"memory:"/,
    )
    await expect(openStorage('mongodb://user:secret@host/')).rejects.not.toThrow(/secret/)
    await expect(openStorage('nonsense')).rejects.toThrow('without a scheme')
    await expect(openStorage(undefined as never)).rejects.toThrow('A storage URL that is undefined')
    registerStorage('mydb:', () => memoryStorage())
    await using own = await openStorage('mydb://x')
    expect(own.capabilities.syncCreate).toBe(true)
    expect(() => registerStorage('MyDB', () => memoryStorage())).toThrow('is no URL scheme')
  })

  test('there is a default client for those who want one', () => {
    expect(() => defaultClient()).toThrow('Call setDefaultClient(client) once at start')
    const client = createClient({ storage: memoryStorage() })
    setDefaultClient(client)
    expect(defaultClient()).toBe(client)
    setDefaultClient(null)
  })
})

test('errors are recognised across copies of the package', async () => {
  vi.resetModules()
  const copy = await import('../src/errors.ts')
  expect(copy.QError).not.toBe(QError)
  const error = new copy.JobFailedError('id', 'message')
  expect(error).toBeInstanceOf(QError)
  expect(error).toBeInstanceOf(JobFailedError)
  expect(isQError(error, 'Q_JOB_FAILED')).toBe(true)
  expect(isQError(error, 'Q_TIMEOUT')).toBe(false)
  expect(new QError('Q_TIMEOUT', 'x')).not.toBeInstanceOf(JobFailedError)
  expect(Object.keys(error)).not.toContain('~q.error.kinds')
  expect(null).not.toBeInstanceOf(QError)
})
