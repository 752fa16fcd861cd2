import { isDeepStrictEqual } from 'node:util'
import { createClient, createServer, defineJob, isQError, newJobId } from '@q/core'
import type { BaseClient, JobDefinition, JobHandle, QError, Server } from '@q/core'
import type { JobStorage } from '@q/core/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../fleet/until.ts'
import type { Host, Stage } from '../stages/stage.ts'
import { names, noNames } from './names.ts'
import { payloads } from './payloads.ts'

/** What would be lost, and is refused instead. */
const lossy = [
  'a text of 5 MB',
  'data 20,000 levels deep',
  'a cycle',
  'a BigInt',
  'a BigInt inside',
  'NaN',
  'infinities inside',
  'an array of a million',
  'an array with holes',
  'a then that is a function',
  'a toJSON that lies',
  'a symbol',
  'a function',
  'a date',
  'an invalid date',
  'a map',
  'a set inside',
  'bytes',
  'an error',
  'a regular expression',
  'an instance of a class',
  'a promise',
  'a getter that throws',
]

/** What looks dangerous and is only data. */
const whole = [
  'data 400 levels deep',
  'a lone surrogate',
  'a lone surrogate as a key',
  'NUL',
  'NUL as a key',
  'control characters',
  'an own __proto__',
  'a then that is data',
  'an array of 100,000 numbers',
  'what looks like another codec',
  'what looks like SQL and Lua',
]

/** As results these are awaited first. */
const settles = new Set(['a promise', 'a then that is a function'])

/** To return it is to return a promise that never settles: such a run has not ended. */
const neverReturned = 'a then that is a function'
const returned = Object.entries(payloads).filter(([what]) => what !== neverReturned)

const echo = defineJob<unknown, unknown>()({ name: 'echo', retry: false, run: (input) => input as never })

/** Everything that comes in badly is kept whole, or refused clearly before anything is stored; nobody else notices. */
export function describeBadInput(openHost: () => Promise<Host>): void {
  let host: Host
  let stage: Stage
  let storage: JobStorage
  let client: BaseClient
  let server: Server

  beforeAll(async () => {
    host = await openHost()
    stage = await host.stage()
    storage = await stage.open()
    client = createClient({ storage, name: 'bad input' })
    const returning = returned.map(([what, make]) =>
      defineJob<void, unknown>()({ name: `return ${what}`, retry: false, run: () => make() as never }),
    )
    server = createServer({ storage, jobs: [echo, ...returning] as never, concurrency: 4 })
    await server.start()
  })
  afterAll(async () => {
    await server.stop()
    await client.close()
    await storage.close()
    await stage[Symbol.asyncDispose]()
    await host[Symbol.asyncDispose]()
  })

  const stored = async (): Promise<string> => {
    const { byPhase } = await storage.monitor.counts()
    const recurring = await storage.monitor.recurring({ limit: 1000 })
    const queues = await storage.monitor.queues()
    return JSON.stringify([
      Object.values(byPhase).reduce((sum, n) => sum + n, 0),
      recurring.items.length,
      queues.length,
    ])
  }

  /** Null when it was done; the error when it was refused, and then nothing may have been stored. */
  const attempt = async (work: () => Promise<unknown>): Promise<QError | null> => {
    const before = await stored()
    try {
      await work()
      return null
    } catch (error) {
      if (!isQError(error)) throw error
      expect(error.code).toMatch(/INVALID|SERIALIZABLE|TOO_LARGE|CYCLE|UNKNOWN_PARENT/)
      expect(error.message.length).toBeGreaterThan(10)
      expect(error.message.length).toBeLessThan(4_000)
      expect(await stored()).toBe(before)
      return error
    }
  }

  const fleetIsWell = async (): Promise<void> => {
    expect(await (await client.enqueue(echo, 'well')).result({ timeout: '20s' })).toBe('well')
    expect(server.health().status).toBe('ok')
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  }

  describe('inputs', { timeout: 60_000 }, () => {
    test('are kept as they are, or refused before anything is stored', async () => {
      const refused: string[] = []
      const changed: string[] = []
      for (const [what, make] of Object.entries(payloads)) {
        const given = make()
        let handle: JobHandle<unknown> | undefined
        const refusal = await attempt(async () => {
          handle = await client.enqueue(echo, given as never)
        })
        if (refusal === null) {
          const result = await handle!.result({ timeout: '20s' })
          if (!isDeepStrictEqual(result ?? null, asKept(given))) changed.push(what)
        } else refused.push(what)
      }
      expect(changed).toEqual([])
      expect(refused).toEqual(expect.arrayContaining([...lossy]))
      for (const what of whole) expect(refused).not.toContain(what)
      await fleetIsWell()
    })

    test('of 5 MB are kept by who allows for them', async () => {
      const most = 6 * 1024 * 1024
      const large = defineJob<string, number>()({ name: 'large', run: (text) => text.length as never })
      const roomy = createClient({ storage, maxPayload: most })
      await using worker = createServer({ storage, jobs: [large as never], maxPayload: most, queues: ['large'] })
      await worker.start()
      const handle = await roomy.enqueue(large, '€'.repeat(1_700_000), { queue: 'large' })
      expect(await handle.result({ timeout: '30s' })).toBe(1_700_000)
      await roomy.close()
    })
  })

  test(
    'results are kept as they are, or the job ends all the same and says why there is none',
    { timeout: 60_000 },
    async () => {
      const changed: string[] = []
      const explained: [what: string, explanation: string][] = []
      for (const [what, make] of returned) {
        const job = defineJob<void, unknown>()({ name: `return ${what}` })
        const { id } = await client.enqueue(job)
        await until(`"${what}" was returned`, 20_000, async () => {
          const phase = (await storage.monitor.get([id]))[0]?.state.phase
          return phase === 'succeeded' || phase === 'failed'
        })
        const { result, resultMissing, error } = (await client.get(id))!
        const explanation = resultMissing ?? error?.message
        if (explanation === undefined) {
          if (!isDeepStrictEqual(result ?? null, asKept(await make()))) changed.push(what)
        } else explained.push([what, explanation])
      }
      expect(changed).toEqual([])
      expect(explained.map(([what]) => what)).toEqual(
        expect.arrayContaining(lossy.filter((what) => !settles.has(what))),
      )
      for (const [what, explanation] of explained) expect(explanation.length, `${what}`).toBeGreaterThan(5)
      await fleetIsWell()
    },
  )

  test('errors of any kind end their job in failed', { timeout: 60_000 }, async () => {
    const thrown: readonly unknown[] = [
      new Error('\u0000 and \ud800'),
      new Error('x'.repeat(3_000_000)),
      'a text',
      undefined,
      null,
      7n,
      Symbol('thrown'),
      { then: () => undefined },
      Object.assign(new Error('cyclic'), { get self(): unknown { return this } }), // prettier-ignore
      new Proxy(new Error('proxied'), {}),
      Object.create(null),
    ]
    const thrower = defineJob<number, unknown>()({
      name: 'throw',
      retry: false,
      run(index) {
        throw thrown[index]
      },
    })
    await using worker = createServer({ storage, jobs: [thrower as never], queues: ['throwing'] })
    await worker.start()
    for (const index of thrown.keys()) {
      const { id } = await client.enqueue(thrower, index, { queue: 'throwing' })
      await until(`error ${index} was stored`, 20_000, async () => {
        return (await storage.monitor.get([id]))[0]?.state.phase === 'failed'
      })
      expect(typeof (await client.get(id))!.error!.message).toBe('string')
    }
    await fleetIsWell()
  })

  describe('names', { timeout: 60_000 }, () => {
    test('of jobs work in every respect, or are refused where they are defined', async () => {
      const jobs = [...names, ...noNames].map(defined).filter((job) => job !== null)
      expect(jobs.length).toBeGreaterThan(25)
      await using worker = createServer({ storage, jobs: jobs as never, queues: ['names of jobs'] })
      await worker.start()
      for (const job of jobs) {
        const handle = await client.enqueue(job, job.name, { queue: 'names of jobs' })
        expect(await handle.result({ timeout: '20s' })).toBe(job.name)
        expect(
          (await storage.monitor.list({ name: [job.name] }, { limit: 5 }, { timeoutMs: 20_000 })).items,
        ).toHaveLength(1)
      }
      await fleetIsWell()
    })

    test('of queues, tags, keys, recurring jobs and locks are kept exactly, or refused before anything is stored', async () => {
      for (const name of [...names, ...noNames] as string[]) {
        const keyed = defineJob<unknown, unknown>()({ name: 'keyed', unique: { key: () => name } })
        const grouped = defineJob<unknown, unknown>()({ name: 'grouped', concurrency: { key: () => name, limit: 1 } })
        const later = { in: '1h' } as const
        const uses: Readonly<Record<string, () => Promise<unknown>>> = {
          async queue() {
            const { id } = await client.schedule(echo, 1, { ...later, queue: name })
            expect((await client.get(id))!.queue).toBe(name ?? 'default')
          },
          async tag() {
            const { id } = await client.schedule(echo, 1, { ...later, tags: [name] })
            expect((await client.get(id))!.tags).toEqual([name])
          },
          async 'unique key'() {
            const first = await client.schedule(keyed, 1, later)
            const second = await client.schedule(keyed, 1, later)
            expect(second.created).toBe(false)
            await client.delete(first.id)
          },
          'concurrency key': () => client.schedule(grouped, 1, later),
          async 'recurring job'() {
            await client.recurring.put(name, { every: '1h', job: echo, input: 1 })
            expect((await client.recurring.get(name))!.id).toBe(name)
            expect(await client.recurring.remove(name)).toBe(true)
          },
          async lock() {
            const lock = await client.lock(name, { ttl: '10s' } as never)
            await lock[Symbol.asyncDispose]()
          },
        }
        for (const [use, work] of Object.entries(uses)) {
          await expect(attempt(work), `${use} ${String(name)}`).resolves.toBeDefined()
        }
      }
      await fleetIsWell()
    })
  })

  test('options that make no sense are refused before anything is stored', { timeout: 60_000 }, async () => {
    const absurd = [
      -1,
      Number.NaN,
      Infinity,
      -Infinity,
      1e300,
      '5 minutes',
      '-1s',
      '',
      '1h30m',
      null,
      {},
      [],
      true,
      7n,
      new Date(),
    ]
    const numbers = [-101, 101, 1.5, Number.NaN, Infinity, '7', 'urgent', null, {}, 7n]
    const fields: Readonly<Record<string, readonly unknown[]>> = {
      expiresIn: absurd.filter((value) => value !== null),
      priority: numbers.filter((value) => value !== null),
      id: ['', 'x', 7, {}, '8ZZZZZZZZZZZZZZZZZZZZZZZZZ', newJobId().toLowerCase()],
      tags: ['text', 7, {}, [7], [null], [{}]],
      queue: [7, {}, ''],
      keep: ['1d', 7, { succeeded: -1 }, { failed: 'for ever' }, { deleted: Number.NaN }],
      meta: ['text', 7, [1]],
    }
    for (const [field, values] of Object.entries(fields)) {
      for (const value of values) {
        const refusal = await attempt(() => client.schedule(echo, 1, { in: '1h', [field]: value } as never))
        expect(refusal, `${field}: ${describeValue(value)}`).not.toBeNull()
      }
    }
    for (const value of absurd) {
      expect(
        await attempt(() => client.schedule(echo, 1, { in: value } as never)),
        `in: ${describeValue(value)}`,
      ).not.toBeNull()
    }
    for (const value of [Number.NaN, 'yesterday', new Date(Number.NaN), {}, 9e15]) {
      expect(
        await attempt(() => client.schedule(echo, 1, { at: value } as never)),
        `at: ${describeValue(value)}`,
      ).not.toBeNull()
    }
    const schedules: readonly object[] = [
      {},
      { cron: '' },
      { cron: '* * * *' },
      { cron: '60 * * * *' },
      { cron: 'x * * * *' },
      { cron: '*/0 * * * *' },
      { cron: '5-1 * * * *' },
      { cron: '0 0 31 2 *' },
      { cron: '* '.repeat(2_000) },
      { cron: 'a'.repeat(100_000) },
      { cron: '* * * * *', timeZone: 'Mars/Phobos' },
      { cron: '* * * * *', timeZone: 7 },
      { cron: '* * * * *', every: '1h' },
      { every: 0 },
      { every: -1 },
      { every: Number.NaN },
      { every: 'often' },
      { every: '1h', anchor: Number.NaN },
      { every: '1h', misfire: 'panic' },
      { every: '1h', overlap: 'maybe' },
      { every: '1h', jitter: -1 },
      { every: '1h', input: 1n },
      { every: '1h', priority: 1_000 },
    ]
    for (const schedule of schedules) {
      const refusal = await attempt(() =>
        client.recurring.put('refused', { job: echo, input: 1, ...schedule } as never),
      )
      expect(refusal, `${Object.keys(schedule)}: ${describeValue(Object.values(schedule).at(-1))}`).not.toBeNull()
    }
    await fleetIsWell()
  })

  test('records that somebody has tampered with fail alone', { timeout: 60_000 }, async () => {
    const tampered = [
      '',
      '{',
      'undefined',
      '[1,',
      '~',
      '~nobody:1',
      '~structured:',
      '\ud800',
      '{"__proto__":',
      '1e9999x',
    ]
    const ids = tampered.map(() => newJobId())
    const jobs = tampered.map((payload, index) => ({
      id: ids[index]!,
      queue: 'default',
      name: 'echo',
      version: 1,
      payload: index % 2 === 0 ? payload : new TextEncoder().encode(payload),
      state: { name: 'enqueued', phase: 'ready' } as const,
      params: { '~meta': '{', trace: '\u0001' },
    }))
    const created = await storage.jobs.create(jobs)
    const arrived = ids.filter((_, index) => created[index]!.ok === 'created')
    expect(arrived.length).toBeGreaterThan(6)
    await until('all of them have ended', 30_000, async () =>
      (await storage.monitor.get(arrived)).every((job) => job?.state.phase === 'failed'),
    )
    for (const id of arrived) {
      const details = (await client.get(id))!
      expect(details).toMatchObject({ phase: 'failed', input: undefined })
      expect(details.error!.message).toContain(id)
    }
    const record = { version: 1, nextAt: 1, job: { ...jobs[0]!, payload: '1', params: {} } }
    for (const [index, spec] of ['', '{', '{}', '{"schedule":{"cron":"x"}}', '{"schedule":{"every":-1}}'].entries()) {
      await storage.recurring.put([{ ...record, id: `tampered ${index}`, spec, expect: 0 }])
    }
    await client.recurring.put('sound', { every: 500, job: echo, input: 1 })
    await until(
      'a sound schedule runs beside them',
      30_000,
      async () => (await client.recurring.runs('sound')).length > 1,
    )
    await storage.recurring.remove(
      ['sound', ...Array.from({ length: 5 }, (_, n) => `tampered ${n}`)].map((id) => ({ id })),
    )
    await fleetIsWell()
  })
}

function defined(name: unknown): JobDefinition<unknown, unknown> | null {
  try {
    return defineJob<unknown, unknown>()({ name: name as string, run: (input) => input as never })
  } catch (error) {
    if (!isQError(error, 'Q_NAME_INVALID')) throw error
    return null
  }
}

/** As JSON keeps it. What it would lose without a word is in the list of what has to be refused. */
function asKept(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null)) as unknown
}

function describeValue(value: unknown): string {
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return text.slice(0, 60)
}
