import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type QError, createClient, defineJob, isQError, jobIdFrom, memoryStorage, newJobId } from '../src/index.ts'
import { startFleet, until } from './fleet.ts'

const echo = defineJob({ name: 'echo', run: (input: { text: string }) => input.text })

async function refusalOf(work: Promise<unknown>): Promise<QError> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!isQError(error)) throw new Error(`refused with a QError, not with ${String(error)}`)
  return error
}

describe('creating jobs', () => {
  test('an enqueued job can be read back with everything it was given', async () => {
    await using client = createClient({ storage: memoryStorage(), name: 'shop' })
    const handle = await client.enqueue(
      echo,
      { text: 'hi' },
      {
        queue: 'mail.eu',
        priority: 'high',
        tags: ['a', 'b'],
        meta: { by: { id: 7 } },
        keep: { succeeded: '2h' },
        expiresIn: '1h',
      },
    )
    expect(handle).toMatchObject({ created: true, conflict: undefined })
    expect(await client.get(handle.id)).toMatchObject({
      name: 'echo',
      version: 1,
      queue: 'mail.eu',
      priority: 10,
      state: 'enqueued',
      status: 'pending',
      input: { text: 'hi' },
      tags: ['a', 'b'],
      meta: { by: { id: 7 } },
      attempt: 0,
      attempts: [],
      history: [{ state: 'enqueued', by: 'shop' }],
    })
    expect(await handle.state()).toMatchObject({ name: 'enqueued', attempt: 0 })
  })

  test('the same id again finds the job there and changes nothing', async () => {
    await using client = createClient({ storage: memoryStorage() })
    const id = jobIdFrom('order-7')
    expect((await client.enqueue(echo, { text: 'first' }, { id })).created).toBe(true)
    expect((await client.enqueue(echo, { text: 'second' }, { id })).created).toBe(false)
    expect((await client.get(id))!.input).toEqual({ text: 'first' })
    expect(jobIdFrom('order-7')).toBe(id)
    expect(jobIdFrom('order-8')).not.toBe(id)
  })

  test('ten thousand inputs in one call give ten thousand handles in order', async () => {
    await using fleet = await startFleet({ jobs: [echo] })
    const handles = await fleet.client.enqueueMany(
      echo,
      Array.from({ length: 10_000 }, (_, n) => ({ text: `${n}` })),
    )
    expect(new Set(handles.map(({ id }) => id)).size).toBe(10_000)
    expect(await handles[9_999]!.result({ timeout: '10s' })).toBe('9999')
    await until(
      () => fleet.client.monitor.counts(),
      ({ byPhase }) => byPhase.succeeded === 10_000,
    )
  })

  test('one refused input of many refuses the call before anything is stored, and is named', async () => {
    await using client = createClient({ storage: memoryStorage() })
    const inputs = [{ text: 'a' }, { text: 1n as never }, { text: Number.NaN as never }]
    const error = await refusalOf(client.enqueueMany(echo, inputs))
    expect(error.code).toBe('Q_NOT_SERIALIZABLE')
    expect(error.message).toMatch(
      /Nothing was stored, because input #1 was refused.*"text" is a BigInt.*1 more were refused: #2/,
    )
    expect((await client.monitor.counts()).byPhase.ready).toBe(0)
  })

  test('enqueues in flight together are stored in one call', async () => {
    const storage = memoryStorage()
    let calls = 0
    const counting = {
      ...storage,
      jobs: { ...storage.jobs, create: (jobs: never[]) => (calls++, storage.jobs.create(jobs)) },
      capabilities: storage.capabilities,
    }
    await using client = createClient({ storage: counting as unknown as typeof storage })
    await Promise.all(Array.from({ length: 100 }, (_, n) => client.enqueue(echo, { text: `${n}` })))
    expect(calls).toBe(1)
  })

  test('a schema refuses what does not fit, with the path and nothing stored; its output reaches the handler', async () => {
    const typed = defineJob({
      name: 'typed',
      input: z.object({ to: z.string(), locale: z.string().default('en') }),
      run: (input) => input.locale,
    })
    await using fleet = await startFleet({ jobs: [typed] })
    const error = await refusalOf(fleet.client.enqueue(typed, { to: 5 } as never))
    expect(error).toMatchObject({ code: 'Q_INPUT_INVALID' })
    expect(error.message).toMatch(/The input of job "typed" does not fit its schema, and was not stored: to: /)
    expect(await (await fleet.client.enqueue(typed, { to: 'x' })).result({ timeout: '5s' })).toBe('en')
  })

  test('a schema that validates asynchronously is waited for', async () => {
    const late = defineJob({
      name: 'late',
      input: z.string().refine(async (text) => text !== 'no'),
      run: (text) => text,
    })
    await using fleet = await startFleet({ jobs: [late] })
    expect((await refusalOf(fleet.client.enqueue(late, 'no'))).code).toBe('Q_INPUT_INVALID')
    expect(await (await fleet.client.enqueue(late, 'yes')).result({ timeout: '5s' })).toBe('yes')
  })

  test('what cannot be kept is refused with the path of the offending field', async () => {
    await using client = createClient({ storage: memoryStorage(), maxPayload: 1000 })
    const any = defineJob<unknown>()({ name: 'any' })
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = { again: cyclic }
    const deep = JSON.parse('['.repeat(2000) + ']'.repeat(2000)) as unknown
    const cases: readonly [unknown, string | RegExp][] = [
      [{ a: [1, { b: () => 1 }] }, '"a[1].b" is a function'],
      [{ when: new Date() }, '"when" is an instance of Date'],
      [{ m: new Map() }, '"m" is an instance of Map'],
      [{ 'a b': Infinity }, '["a b"]" is Infinity'],
      [[undefined], '"[0]" is undefined'],
      [Symbol('x'), 'The value is a symbol'],
      [cyclic, '"self.again" is a cycle'],
      [deep, /nested more than 500 levels/],
      [Object.defineProperty({}, 'a', { enumerable: true, get: () => JSON.parse('{') }), /one of its getters threw/],
      ['x'.repeat(1001), /takes 1003 bytes; the limit is 1000/],
    ]
    for (const [input, message] of cases)
      expect((await refusalOf(client.enqueue(any, input as never))).message).toMatch(message)
    expect((await client.monitor.counts()).byPhase.ready).toBe(0)
  })

  test('data that looks dangerous is just data', async () => {
    await using fleet = await startFleet({ jobs: [defineJob({ name: 'any', run: (input: unknown) => input })] })
    const any = defineJob<unknown, unknown>()({ name: 'any' })
    const data = JSON.parse(
      '{"__proto__":{"polluted":1},"~missing":"m","constructor":"c","then":1,"toJSON":"x","nul":"\\u0000","half":"\\ud800","undef":null}',
    ) as unknown
    const handle = await fleet.client.enqueue(any, data as never)
    expect(JSON.stringify(await handle.result({ timeout: '5s' }))).toBe(JSON.stringify(data))
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })

  test('names, queues, tags, ids and priorities out of bounds are refused with the reason', async () => {
    await using client = createClient({ storage: memoryStorage() })
    const enqueue = (options: object): Promise<QError> => refusalOf(client.enqueue(echo, { text: '' }, options))
    expect((await enqueue({ queue: '' })).message).toMatch(/queue name "" is empty/)
    expect((await enqueue({ queue: 'video.>' })).message).toMatch(/wildcards of a server's queue list/)
    expect((await enqueue({ queue: 'a'.repeat(256) })).message).toMatch(/256 characters; at most 255/)
    expect((await enqueue({ tags: ['a\u0000'] })).message).toMatch(/tag .* control character/)
    expect((await enqueue({ tags: ['\ud800'] })).message).toMatch(/lone surrogate/)
    expect((await enqueue({ id: 'order-7' })).message).toMatch(/jobIdFrom\('order-7'\)/)
    expect((await enqueue({ priority: 101 })).message).toMatch(/whole number from -100 to 100/)
    expect((await enqueue({ priority: 'urgent' })).message).toMatch(/"urgent" is not 'low'/)
    expect((await enqueue({ expiresIn: -1 })).code).toBe('Q_OPTION_INVALID')
    expect((await enqueue({ meta: { '~trace': 1 } })).message).toMatch(/do not start with "~"/)
    expect((await enqueue({ keep: { failed: Number.NaN } })).code).toBe('Q_OPTION_INVALID')
  })

  test('what cannot even be quoted is refused like anything else', async () => {
    await using client = createClient({ storage: memoryStorage() })
    const nameless = Object.create(null) as never
    for (const value of [7n as never, Symbol('high') as never, nameless]) {
      for (const options of [{ priority: value }, { expiresIn: value }]) {
        expect((await refusalOf(client.enqueue(echo, { text: 'x' }, options))).code).toBe('Q_OPTION_INVALID')
      }
      const recurring = { every: '1h', job: echo, input: { text: 'x' }, misfire: value } as const
      expect((await refusalOf(client.recurring.put('r', recurring))).code).toBe('Q_OPTION_INVALID')
      const parent = newJobId()
      const continued = client.continueWith(parent, echo, { text: 'x' }, { on: value })
      expect((await refusalOf(continued)).code).toBe('Q_OPTION_INVALID')
    }
  })

  test('a text is no list of tags and no record of meta', async () => {
    await using client = createClient({ storage: memoryStorage() })
    const wrong = [{ tags: 'text' }, { tags: {} }, { meta: 'text' }, { meta: [1] }, { keep: '1d' }, { keep: null }]
    for (const options of wrong)
      expect((await refusalOf(client.enqueue(echo, { text: 'x' }, options as never))).code).toBe('Q_OPTION_INVALID')
    expect((await client.monitor.counts()).byPhase.ready).toBe(0)
  })

  test('ids are unique and sort by the moment they were made', () => {
    const ids = Array.from({ length: 5000 }, () => newJobId())
    expect(new Set(ids).size).toBe(5000)
    expect(ids[0]!.slice(0, 10) <= ids[4999]!.slice(0, 10)).toBe(true)
    for (const id of ids) expect(id).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
  })

  test('a closed client refuses, after it has stored what it accepted', async () => {
    const client = createClient({ storage: memoryStorage() })
    const accepted = client.enqueue(echo, { text: 'a' })
    await client.close()
    expect((await accepted).created).toBe(true)
    expect(await refusalOf(client.enqueue(echo, { text: 'b' }))).toMatchObject({ code: 'Q_CLOSED' })
  })

  test('a storage that is synchronous enqueues without waiting', async () => {
    await using client = createClient({ storage: memoryStorage() })
    const handle = client.enqueueSync(echo, { text: 'now' })
    expect(handle.created).toBe(true)
    expect((await client.get(handle.id))!.input).toEqual({ text: 'now' })
    const slow = defineJob({ name: 'slow', input: z.string().refine(async () => true) })
    expect(() => client.enqueueSync(slow, 'x')).toThrow(/cannot be enqueued without waiting/)
  })
})

describe('continuations', () => {
  test('a continuation waits for all its parents and names one in its history', async () => {
    await using fleet = await startFleet({ jobs: [echo] })
    const a = await fleet.client.schedule(echo, { text: 'a' }, { in: 20 })
    const b = await fleet.client.enqueue(echo, { text: 'b' })
    const child = await fleet.client.continueWith([a, b.id], echo, { text: 'c' })
    expect(await child.result({ timeout: '5s' })).toBe('c')
    const job = (await fleet.client.get(child.id))!
    expect(job.parents.map(({ id }) => id).toSorted()).toEqual([a.id, b.id].toSorted())
    expect(job.history.map(({ state }) => state)).toEqual(['awaiting', 'enqueued', 'processing', 'succeeded'])
    expect((await fleet.client.get(a.id))!.children).toBe(1)
  })

  test('each end of a parent releases those who asked for it and deletes those who cannot be any more', async () => {
    const fails = defineJob({ name: 'fails', retry: false, run: () => Promise.reject(new Error('no')) })
    await using fleet = await startFleet({ jobs: [echo, fails] })
    const { client } = fleet
    const bad = await client.enqueue(fails)
    const good = await client.enqueue(echo, { text: '' })
    const onFailed = await client.continueWith(bad, echo, { text: 'failed' }, { on: 'failed' })
    const onFinished = await client.continueWith(bad, echo, { text: 'finished' }, { on: 'finished' })
    const onSuccess = await client.continueWith(bad, echo, { text: 'success' })
    const never = await client.continueWith(good, echo, { text: 'never' }, { on: 'failed' })
    expect(await onFailed.result({ timeout: '5s' })).toBe('failed')
    expect(await onFinished.result({ timeout: '5s' })).toBe('finished')
    await expect(never.result({ timeout: '5s' })).rejects.toThrow(`parent ${good.id} succeeded`)
    const waiting = (await client.explain(onSuccess.id))!
    expect(waiting.blockers[0]).toMatchObject({ code: 'awaiting', jobs: [bad.id] })
    expect(waiting.blockers[0]!.text).toMatch(/failed.*must be requeued and succeed, or be deleted/s)
    await client.delete(bad.id)
    await expect(onSuccess.result({ timeout: '5s' })).rejects.toThrow(`parent ${bad.id} deleted`)
  })

  test('an unknown parent, no parent and oneself as parent are refused', async () => {
    await using client = createClient({ storage: memoryStorage() })
    const id = newJobId()
    expect((await refusalOf(client.continueWith(id, echo, { text: '' }))).message).toMatch(
      `its parent ${id} is not in storage`,
    )
    expect((await refusalOf(client.continueWith([], echo, { text: '' }))).message).toMatch(/no parent to wait for/)
    expect(await refusalOf(client.continueWith(id, echo, { text: '' }, { id }))).toMatchObject({ code: 'Q_CYCLE' })
  })

  test('a continuation may wait some more after its parent', async () => {
    await using fleet = await startFleet({ jobs: [echo] })
    const parent = await fleet.client.enqueue(echo, { text: 'p' })
    const child = await fleet.client.continueWith(parent, echo, { text: 'c' }, { in: 30 })
    await child.result({ timeout: '5s' })
    const at =
      (await fleet.client.get(child.id))!.startedAt!.getTime() -
      (await fleet.client.get(parent.id))!.finishedAt!.getTime()
    expect(at).toBeGreaterThanOrEqual(30)
  })
})

describe('unique jobs', () => {
  const unique = (options: object) =>
    defineJob({
      name: 'mail',
      unique: { key: (mail: { to: string }) => mail.to, ...options },
      run: (mail: { to: string }) => mail.to,
    })

  test('a second job with the key is not created, and its handle speaks of the first', async () => {
    const mail = unique({})
    await using client = createClient({ storage: memoryStorage() })
    const first = await client.enqueue(mail, { to: 'ada' })
    const second = await client.enqueue(mail, { to: 'ada' })
    expect(second).toMatchObject({ created: false, conflict: first.id, id: first.id })
    expect((await client.enqueue(mail, { to: 'bob' })).created).toBe(true)
  })

  test('the key is free again once the job ended, or once it started', async () => {
    for (const until of ['finished', 'started'] as const) {
      const mail = unique({ until })
      await using fleet = await startFleet({ jobs: [mail] })
      await (await fleet.client.enqueue(mail, { to: 'ada' })).result({ timeout: '5s' })
      expect((await fleet.client.enqueue(mail, { to: 'ada' })).created).toBe(true)
    }
  })

  test('replace puts the new job in the place of the waiting one', async () => {
    const mail = unique({ onConflict: 'replace' })
    await using client = createClient({ storage: memoryStorage() })
    const first = await client.enqueue(mail, { to: 'ada' })
    const second = await client.enqueue(mail, { to: 'ada' })
    expect(second.created).toBe(true)
    expect(await client.get(first.id)).toMatchObject({ state: 'deleted', reason: `replaced by ${second.id}` })
  })

  test('without a key the whole input is the key, and keys of other jobs are others', async () => {
    const one = defineJob({ name: 'one', unique: {}, run: (_input: { n: number }) => undefined })
    const two = defineJob({ name: 'two', unique: {}, run: (_input: { n: number }) => undefined })
    await using client = createClient({ storage: memoryStorage() })
    expect((await client.enqueue(one, { n: 1 })).created).toBe(true)
    expect((await client.enqueue(one, { n: 1 })).created).toBe(false)
    expect((await client.enqueue(one, { n: 2 })).created).toBe(true)
    expect((await client.enqueue(two, { n: 1 })).created).toBe(true)
  })

  test('a requeued job whose key another one holds says so', async () => {
    const mail = unique({})
    await using client = createClient({ storage: memoryStorage() })
    const first = await client.enqueue(mail, { to: 'ada' })
    await client.delete(first.id)
    const second = await client.enqueue(mail, { to: 'ada' })
    expect(await client.requeue(first.id)).toEqual({ applied: false, reason: 'duplicate', holder: second.id })
  })
})
