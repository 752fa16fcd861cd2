import { describe, expect, test } from 'vitest'
import {
  QError,
  automaticRetry,
  cancelJob,
  createServer,
  defineFilter,
  defineJob,
  exponential,
  fixed,
  list,
  memoryStorage,
  reject,
  snooze,
  structuredCodec,
  withTrace,
  currentTrace,
} from '../src/index.ts'
import { gate, startFleet, until } from './fleet.ts'

describe('how runs end', () => {
  test('a handler may snooze, cancel its job, or reject without retry', async () => {
    let snoozes = 0
    const sleepy = defineJob({
      name: 'sleepy',
      run: (_: void, ctx) => (snoozes++ < 2 ? snooze(1, 'not yet') : ctx.attempt),
    })
    const over = defineJob({ name: 'over', run: () => cancelJob('nothing to do') })
    const hopeless = defineJob({ name: 'hopeless', run: () => reject(new TypeError('never')) })
    await using fleet = await startFleet({ jobs: [sleepy, over, hopeless] })
    expect(await (await fleet.client.enqueue(sleepy)).result({ timeout: '5s' })).toBe(1)
    await expect((await fleet.client.enqueue(over)).result({ timeout: '5s' })).rejects.toThrow('nothing to do')
    const failed = await fleet.client.enqueue(hopeless)
    await expect(failed.result({ timeout: '5s' })).rejects.toMatchObject({
      code: 'Q_JOB_FAILED',
      cause: { name: 'TypeError', message: 'never' },
    })
    expect((await fleet.client.get(failed.id))!.attempt).toBe(1)
  })

  test('retries are counted, spaced and ended as the definition says', async () => {
    const runs: number[] = []
    const flaky = defineJob({
      name: 'flaky',
      retry: { attempts: 3, backoff: fixed(1) },
      run: (_: void, ctx) => {
        runs.push(ctx.attempt)
        throw new Error(`no ${ctx.attempt}`)
      },
    })
    const once = defineJob({
      name: 'once',
      retry: false,
      run: () => {
        throw new Error('no')
      },
    })
    const gone = defineJob({
      name: 'gone',
      retry: { attempts: 2, backoff: list([0]), onExceeded: 'delete' },
      run: () => {
        throw new Error('no')
      },
    })
    await using fleet = await startFleet({ jobs: [flaky, once, gone] })
    await expect((await fleet.client.enqueue(flaky)).result({ timeout: '5s' })).rejects.toThrow(
      'failed at attempt 3: no 3',
    )
    expect(runs).toEqual([1, 2, 3])
    await expect((await fleet.client.enqueue(once)).result({ timeout: '5s' })).rejects.toThrow('failed at attempt 1')
    await expect((await fleet.client.enqueue(gone)).result({ timeout: '5s' })).rejects.toThrow(
      'was deleted: failed 2 times: no',
    )
  })

  test('only the errors that may pass are tried again', async () => {
    class Fatal extends Error {}
    const fatal = defineJob({
      name: 'fatal',
      retry: { attempts: 5, backoff: fixed(0), except: [Fatal] },
      run: (_: void, ctx) => {
        throw ctx.attempt === 1 ? new Error('passes') : new Fatal('stays')
      },
    })
    const named = defineJob({
      name: 'named',
      retry: { attempts: 5, backoff: fixed(0), on: ['TypeError'] },
      run: () => {
        throw new RangeError('other')
      },
    })
    await using fleet = await startFleet({ jobs: [fatal, named] })
    await expect((await fleet.client.enqueue(fatal)).result({ timeout: '5s' })).rejects.toThrow(
      'failed at attempt 2: stays',
    )
    await expect((await fleet.client.enqueue(named)).result({ timeout: '5s' })).rejects.toThrow(
      'failed at attempt 1: other',
    )
  })

  test('backoffs grow, are capped and spread', () => {
    const half = (): number => 0.5
    const grow = exponential({ base: 100, max: 1000, jitter: 'none' })
    expect([1, 2, 3, 4, 5, 5000].map((n) => grow(n, null, half))).toEqual([100, 200, 400, 800, 1000, 1000])
    expect(exponential({ base: 100, jitter: 'full' })(1, null, half)).toBe(50)
    expect(exponential({ base: 100, jitter: 'equal' })(1, null, half)).toBe(75)
    expect([1, 2, 3].map((n) => list(['1s', '5s'])(n, null, half))).toEqual([1000, 5000, 5000])
  })

  test('a server-wide retry policy is overruled by that of a definition', async () => {
    const plain = defineJob({
      name: 'plain',
      run: () => {
        throw new Error('no')
      },
    })
    const own = defineJob({
      name: 'own',
      retry: { attempts: 2, backoff: fixed(0) },
      run: () => {
        throw new Error('no')
      },
    })
    await using fleet = await startFleet({ jobs: [plain, own], filters: [automaticRetry({ attempts: 1 })] })
    await expect((await fleet.client.enqueue(plain)).result({ timeout: '5s' })).rejects.toThrow('attempt 1')
    await expect((await fleet.client.enqueue(own)).result({ timeout: '5s' })).rejects.toThrow('attempt 2')
  })

  test('whatever is thrown is kept: causes, members, own properties, and things that are no errors', async () => {
    const thrown: unknown[] = [
      Object.assign(new Error('outer\0', { cause: new TypeError('inner') }), {
        code: 'E_X',
        status: 451,
        socket: { self: null as unknown },
      }),
      new AggregateError([new Error('a'), 'b'], 'both'),
      'just text',
      { odd: true },
      null,
      undefined,
      Object.create(null),
    ]
    const job = defineJob({
      name: 'throws',
      retry: false,
      run: (n: number) => {
        throw thrown[n]
      },
    })
    await using fleet = await startFleet({ jobs: [job] })
    const errors = []
    for (const n of thrown.keys()) {
      const handle = await fleet.client.enqueue(job, n)
      await handle.result({ timeout: '5s' }).catch(() => undefined)
      errors.push((await fleet.client.get(handle.id))!.error!)
    }
    expect(errors[0]).toMatchObject({
      name: 'Error',
      message: 'outer\uFFFD',
      code: 'E_X',
      cause: { name: 'TypeError', message: 'inner' },
      properties: { status: 451 },
    })
    expect(errors[1]!.errors).toMatchObject([{ message: 'a' }, { message: 'b', thrown: 'string' }])
    expect(errors.slice(2).map((error) => error.thrown)).toEqual(['string', 'object', 'null', 'undefined', 'object'])
  })

  test('a result that cannot be stored does not undo the work, and says why it is missing', async () => {
    const odd = defineJob({ name: 'odd', run: () => ({ big: 1n }) })
    await using fleet = await startFleet({ jobs: [odd] })
    const handle = await fleet.client.enqueue(odd)
    await expect(handle.result({ timeout: '5s' })).rejects.toThrow(
      /succeeded, but its result could not be stored: "big" is a BigInt/,
    )
    expect(await fleet.client.get(handle.id)).toMatchObject({
      state: 'succeeded',
      result: undefined,
      resultMissing: expect.stringMatching('BigInt') as string,
    })
  })

  test('the structured codec keeps dates, maps and big integers, both ways', async () => {
    const rich = defineJob({
      name: 'rich',
      run: (input: { at: Date; m: Map<string, bigint> }) => ({ at: input.at, n: input.m.get('n') }),
    })
    await using fleet = await startFleet({ jobs: [rich], codec: structuredCodec })
    const at = new Date('2027-01-01T00:00:00Z')
    expect(await (await fleet.client.enqueue(rich, { at, m: new Map([['n', 7n]]) })).result({ timeout: '5s' })).toEqual(
      { at, n: 7n },
    )
  })

  test('a timeout aborts the signal and fails the run, whatever the handler then returns', async () => {
    const slow = defineJob({
      name: 'slow',
      timeout: 20,
      retry: false,
      run: (_: void, ctx) =>
        new Promise<string>((resolve) => ctx.signal.addEventListener('abort', () => resolve('too late'))),
    })
    await using fleet = await startFleet({ jobs: [slow] })
    const handle = await fleet.client.enqueue(slow)
    await expect(handle.result({ timeout: '5s' })).rejects.toThrow('ran longer than its timeout')
  })

  test('an older payload is lifted to the present version; one nobody can lift waits for who can', async () => {
    const storage = memoryStorage()
    const v1 = defineJob({ name: 'mail', run: (_: { to: string }) => 'v1' })
    const v3 = defineJob({
      name: 'mail',
      version: 3,
      upgrade: {
        1: (old: { to: string }) => ({ ...old, locale: 'en' }),
        2: (old: { to: string; locale: string }) => ({ ...old, html: true }),
      },
      run: (mail: { to: string; locale: string; html: boolean }) => mail,
    })
    await using fleet = await startFleet({ storage, jobs: [v3] })
    const lifted = await fleet.client.enqueue(v1, { to: 'ada' })
    expect(await lifted.result({ timeout: '5s' })).toEqual({ to: 'ada', locale: 'en', html: true })
  })

  test('a job nobody here knows is handed back unharmed, and adopted by a server that comes later', async () => {
    const storage = memoryStorage()
    const other = defineJob({ name: 'other', run: () => 'done' })
    await using fleet = await startFleet({ storage, jobs: [] })
    const handle = await fleet.client.enqueue(other)
    await until(
      () => fleet.client.explain(handle.id),
      (why) => why!.blockers[0]!.code === 'unknown-job',
    )
    expect((await fleet.client.explain(handle.id))!.blockers[0]!.text).toMatch('No server knows other@1')
    await using knowing = createServer({ storage, jobs: [other], name: 'knowing' })
    await knowing.start()
    expect(await handle.result({ timeout: '15s' })).toBe('done')
    expect(await fleet.client.get(handle.id)).toMatchObject({
      attempt: 1,
      attempts: [
        { server: 'worker', outcome: 'handed back' },
        { server: 'knowing', outcome: 'succeeded' },
      ],
    })
  })

  test('a payload that cannot be read fails that job alone, clearly', async () => {
    const echo = defineJob({ name: 'echo', run: (input: unknown) => input })
    await using fleet = await startFleet({ jobs: [echo] })
    const id = '01M00000000000000000000000'
    await fleet.storage.jobs.create([
      { id, queue: 'default', name: 'echo', version: 1, payload: '{torn', state: { name: 'enqueued', phase: 'ready' } },
    ])
    await expect(fleet.client.handle(id).result({ timeout: '5s' })).rejects.toThrow(
      /The stored input of job 01M0.*cannot be read/,
    )
    expect(await (await fleet.client.enqueue(echo, 1)).result({ timeout: '5s' })).toBe(1)
  })
})

describe('cancelling', () => {
  test('a waiting job is stopped before its start', async () => {
    const job = defineJob({ name: 'job', run: () => 1 })
    await using fleet = await startFleet({ jobs: [job] })
    const handle = await fleet.client.schedule(job, undefined, { in: '1h' })
    expect(await fleet.client.cancel(handle.id)).toEqual({ stopped: true, how: 'before start' })
    expect(await fleet.client.cancel(handle.id)).toEqual({ stopped: false, how: 'finished first' })
    expect(await fleet.client.cancel('01M00000000000000000000000')).toEqual({ stopped: false, how: 'missing' })
  })

  test('a running handler is asked by its signal; one that does not listen is abandoned after the grace, its slot still taken', async () => {
    const started = gate()
    const release = gate()
    const polite = defineJob({
      name: 'polite',
      run: (_: void, ctx) =>
        new Promise((_resolve, rejectRun) => {
          started.open()
          ctx.signal.addEventListener('abort', () => rejectRun(ctx.signal.reason as Error))
        }),
    })
    const deaf = defineJob({
      name: 'deaf',
      run: async () => {
        await release.opened
        return 'late'
      },
    })
    await using fleet = await startFleet({ jobs: [polite, deaf] })
    const first = await fleet.client.enqueue(polite)
    await started.opened
    expect(await fleet.client.cancel(first.id, { reason: 'changed my mind', by: 'ada' })).toEqual({
      stopped: true,
      how: 'aborted',
    })
    expect(await fleet.client.get(first.id)).toMatchObject({
      state: 'deleted',
      reason: 'changed my mind',
      status: 'cancelled',
    })

    const second = await fleet.client.enqueue(deaf)
    await until(
      () => second.state(),
      (state) => state!.name === 'processing',
    )
    expect(await fleet.client.cancel(second.id, { grace: 20 })).toEqual({ stopped: true, how: 'abandoned' })
    expect(fleet.server.health().running).toBe(1)
    release.open()
    await until(
      () => fleet.server.health().running,
      (running) => running === 0,
    )
    expect((await fleet.client.get(second.id))!.state).toBe('deleted')
  })

  test('a cancellation that is not waited out is still pending, and can be waited for again', async () => {
    const release = gate()
    const job = defineJob({ name: 'job', run: () => release.opened })
    await using fleet = await startFleet({ jobs: [job] })
    const handle = await fleet.client.enqueue(job)
    await until(
      () => handle.state(),
      (state) => state!.name === 'processing',
    )
    const { id } = handle
    expect(await fleet.client.cancel(id, { timeout: 5, grace: '1m' })).toEqual({ stopped: false, how: 'pending' })
    await expect(fleet.client.cancel(id, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
    const end = fleet.client.cancel(id)
    release.open()
    expect(await end).toEqual({ stopped: false, how: 'finished first' })
  })

  test('a job that finishes before it notices has finished first', async () => {
    const started = gate()
    const job = defineJob({
      name: 'job',
      run: (_: void, ctx) =>
        new Promise<string>((resolve) => {
          started.open()
          ctx.signal.addEventListener('abort', () => resolve('done anyway'))
        }),
    })
    await using fleet = await startFleet({ jobs: [job] })
    const handle = await fleet.client.enqueue(job)
    await started.opened
    expect(await fleet.client.cancel(handle.id)).toEqual({ stopped: false, how: 'finished first' })
    expect(await handle.result()).toBe('done anyway')
  })

  test('deleting a running job voids its run at once: nothing it does counts any more', async () => {
    const started = gate()
    const release = gate()
    let reason: unknown
    const job = defineJob({
      name: 'job',
      run: async (_: void, ctx) => {
        ctx.signal.addEventListener('abort', () => (reason = ctx.signal.reason))
        started.open()
        await release.opened
      },
    })
    await using fleet = await startFleet({ jobs: [job] })
    const handle = await fleet.client.enqueue(job)
    await started.opened
    expect(await fleet.client.delete(handle.id, { reason: 'wrong order' })).toEqual({ applied: true })
    expect(await fleet.client.get(handle.id)).toMatchObject({ state: 'deleted', reason: 'wrong order' })
    await until(
      () => reason,
      (seen) => seen instanceof QError && seen.code === 'Q_RUN_VOIDED',
    )
    release.open()
    await until(
      () => fleet.server.health().running,
      (running) => running === 0,
    )
    expect((await fleet.client.get(handle.id))!.history.at(-1)!.state).toBe('deleted')
  })
})

describe('commands', () => {
  test('commands apply from the states they expect, and say why they do not', async () => {
    const fails = defineJob({
      name: 'fails',
      retry: false,
      run: () => {
        throw new Error('no')
      },
    })
    await using fleet = await startFleet({ jobs: [fails] })
    const handle = await fleet.client.enqueue(fails)
    await handle.result({ timeout: '5s' }).catch(() => undefined)
    expect(await fleet.client.requeue(handle.id, { from: 'succeeded' })).toEqual({
      applied: false,
      reason: 'state',
      state: 'failed',
    })
    expect(await fleet.client.requeue('01M00000000000000000000000')).toEqual({ applied: false, reason: 'missing' })
    expect(await fleet.client.requeue(handle.id, { from: ['failed'], reason: 'try again', by: 'ada' })).toEqual({
      applied: true,
    })
    await until(
      () => fleet.client.get(handle.id),
      (job) => job!.history.filter(({ state }) => state === 'failed').length === 2,
    )
    expect((await fleet.client.get(handle.id))!.history.find(({ reason }) => reason === 'try again')).toMatchObject({
      state: 'enqueued',
      by: 'ada',
    })
  })

  test('a bulk command touches what matched when it began, counts it, and names what it left alone', async () => {
    let isDown = true
    const job = defineJob({
      name: 'job',
      retry: false,
      tags: ['bulk'],
      run: () => {
        if (isDown) throw new Error('down')
      },
    })
    await using fleet = await startFleet({ jobs: [job] })
    await fleet.client.enqueueMany(
      job,
      Array.from({ length: 1200 }, () => undefined as never),
    )
    await until(
      () => fleet.client.monitor.counts(),
      ({ byPhase }) => byPhase.failed === 1200,
    )
    expect(await fleet.client.jobs.where({ tag: 'bulk', state: 'failed' }).count()).toEqual({
      value: 1200,
      exact: true,
    })
    isDown = false
    const progress: number[] = []
    expect(
      await fleet.client.jobs.where({ tag: 'bulk' }).requeue({ onProgress: ({ matched }) => progress.push(matched) }),
    ).toEqual({ matched: 1200, changed: 1200, skipped: {} })
    expect(progress.at(-1)).toBe(1200)
    await until(
      () => fleet.client.monitor.counts(),
      ({ byPhase }) => byPhase.succeeded === 1200,
    )
    expect(await fleet.client.jobs.where({ phase: 'succeeded', name: 'job' }).delete()).toMatchObject({
      matched: 1200,
      changed: 1200,
    })
  })

  test('a reschedule moves a waiting job, and is refused for one that runs', async () => {
    const started = gate()
    const release = gate()
    const job = defineJob({
      name: 'job',
      run: async () => {
        started.open()
        await release.opened
      },
    })
    await using fleet = await startFleet({ jobs: [job] })
    const handle = await fleet.client.schedule(job, undefined, { in: '1h' })
    const at = new Date(Date.now() + 7_200_000)
    expect(await fleet.client.reschedule(handle.id, { at })).toEqual({ applied: true })
    expect((await fleet.client.get(handle.id))!.scheduledFor).toEqual(at)
    expect(await fleet.client.reschedule(handle.id, { in: 1 })).toEqual({ applied: true })
    await started.opened
    expect(await fleet.client.reschedule(handle.id, { in: 1 })).toMatchObject({ applied: false, reason: 'state' })
    release.open()
  })
})

describe('filters', () => {
  test('filters run in their scopes and orders around creation and run, and elections and effects stand in the commit', async () => {
    const seen: string[] = []
    const named = (name: string, order = 0) =>
      defineFilter({
        name,
        order,
        create: async (ctx, next) => {
          seen.push(`create ${name}`)
          ctx.meta[name] = true
          const made = await next()
          seen.push(`created ${name}`)
          return made
        },
        perform: async (_ctx, next) => {
          seen.push(`perform ${name}`)
          const value = await next()
          seen.push(`performed ${name}`)
          return value
        },
      })
    const note = defineJob({ name: 'note', run: (text: string) => text })
    const job = defineJob({
      name: 'job',
      filters: [
        named('definition'),
        defineFilter({
          name: 'follow',
          stateApplied: (ctx) =>
            void (ctx.state.name === 'succeeded' && ctx.enqueue(note, `after ${ctx.job.id}`, { tags: ['follow'] })),
        }),
        defineFilter({
          name: 'patience',
          electState: (ctx) =>
            ctx.candidate.name === 'failed' && ctx.attempt === 1 ? { name: 'enqueued' } : undefined,
        }),
      ],
      run: (_: void, ctx) => {
        seen.push('run')
        if (ctx.attempt === 1) throw new Error('first')
        return ctx.meta
      },
    })
    await using fleet = await startFleet({ jobs: [job, note], filters: [named('outer', -1), named('inner')] })
    const handle = await fleet.client.enqueue(job, undefined, { filters: [named('call')] })
    expect(await handle.result({ timeout: '5s' })).toEqual({ outer: true, inner: true, definition: true, call: true })
    expect(seen.slice(0, 8)).toEqual([
      'create outer',
      'create inner',
      'create definition',
      'create call',
      'created call',
      'created definition',
      'created inner',
      'created outer',
    ])
    expect(seen.slice(8, 12)).toEqual(['perform outer', 'perform inner', 'perform definition', 'run'])
    const history = (await fleet.client.get(handle.id))!.history
    expect(history.map(({ state, reason }) => [state, reason])).toContainEqual(['enqueued', 'elected by patience'])
    await until(
      () => fleet.client.monitor.jobs({ tag: ['follow'] }, { limit: 10 }),
      ({ items }) => items.length === 1,
    )
  })

  test('a create filter that does not go on keeps the job from being stored', async () => {
    const job = defineJob({
      name: 'job',
      run: () => 1,
      filters: [defineFilter({ name: 'no', create: async (ctx) => ({ id: ctx.job.id, created: false }) })],
    })
    await using fleet = await startFleet({ jobs: [job] })
    await expect(fleet.client.enqueue(job)).rejects.toMatchObject({ code: 'Q_CANCELLED' })
    expect((await fleet.client.monitor.counts()).byPhase.ready).toBe(0)
  })

  test('a filter that refuses the first state refuses the creation', async () => {
    const refuse = defineFilter({
      name: 'refuse',
      electState: () => {
        throw new Error('filter broke')
      },
    })
    const job = defineJob({ name: 'job', run: () => 1, filters: [refuse] })
    await using fleet = await startFleet({ jobs: [job] })
    await expect(fleet.client.enqueue(job)).rejects.toThrow('filter broke')
    expect((await fleet.client.monitor.counts()).byPhase.ready).toBe(0)
  })

  const breaking = (): never => {
    throw new Error('filter broke')
  }
  test.each([
    defineFilter({
      name: 'throws',
      electState: ({ candidate }) => (candidate.name === 'succeeded' ? breaking() : undefined),
    }),
    defineFilter({
      name: 'rejects',
      electState: async ({ candidate }) => (candidate.name === 'succeeded' ? breaking() : undefined),
    }),
    defineFilter({ name: 'applies', stateApplied: ({ state }) => void (state.name === 'succeeded' && breaking()) }),
  ])('a filter that breaks while a run ends ($name) fails the run, and never the server', async (filter) => {
    const job = defineJob({ name: 'job', retry: { attempts: 1 }, run: () => 1, filters: [filter] })
    const plain = defineJob({ name: 'plain', run: () => 2 })
    await using fleet = await startFleet({ jobs: [job, plain] })
    const handle = await fleet.client.enqueue(job)
    await expect(handle.result({ timeout: '5s' })).rejects.toThrow('filter broke')
    expect((await fleet.client.get(handle.id))!.history.map(({ state }) => state)).toEqual([
      'enqueued',
      'processing',
      'failed',
    ])
    expect(await (await fleet.client.enqueue(plain)).result({ timeout: '5s' })).toBe(2)
  })

  test('an election may take its time, and what it elects is what happens', async () => {
    const job = defineJob({
      name: 'job',
      run: () => 1,
      filters: [
        defineFilter({
          name: 'ask',
          async electState({ candidate }) {
            await new Promise((resolve) => setImmediate(resolve))
            return candidate.name === 'succeeded' ? { name: 'deleted', reason: 'nobody needs it' } : undefined
          },
        }),
      ],
    })
    await using fleet = await startFleet({ jobs: [job] })
    const handle = await fleet.client.enqueue(job)
    await until(
      () => handle.state(),
      (state) => state!.name === 'deleted',
    )
    expect((await fleet.client.get(handle.id))!.reason).toBe('nobody needs it')
  })

  test('the trace of the caller is current again in the handler, and travels on', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const inner = defineJob({ name: 'inner', run: () => currentTrace()?.traceparent })
    const outer = defineJob({ name: 'outer', run: async (_: void, ctx) => (await ctx.client.enqueue(inner)).id })
    await using fleet = await startFleet({ jobs: [inner, outer] })
    const handle = await withTrace({ traceparent }, () => fleet.client.enqueue(outer))
    const id = await handle.result({ timeout: '5s' })
    expect(await fleet.client.handle(inner, id).result({ timeout: '5s' })).toBe(traceparent)
  })
})
