import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { redisStorage } from '@q/redis'
import type { ApplyOutcome, Claim, ClaimedJob, JobStorage, NewJob, Transition } from '@q/core/storage'
import { newNamespace, redisUrl, removeNamespaces } from './scratch.ts'

/**
 * Jobs that have nothing special about them are created, claimed and ended by a way of their own; tags and long payloads
 * have no part in claims and ends. A retention, be it the usual one, sends a job the other way. All must come out alike.
 */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const kinds = [
  ['plain', {}],
  ['tagged', { tags: ['a', 'b'], params: { trace: '1' } }],
  ['kept', { keep: { succeeded: 86_400_000 } }],
] as const

function job(more: Partial<NewJob> = {}): NewJob {
  const id = `0${Array.from(randomBytes(25), (byte) => alphabet[byte & 31]).join('')}`
  const state = { name: 'enqueued', phase: 'ready', reason: 'asked for' } as const
  return { id, queue: 'mail', name: 'mail.send', version: 3, payload: '{"to":"ü"}', state, by: 'client', ...more }
}

async function scratch(): Promise<JobStorage> {
  const namespace = newNamespace()
  const storage = redisStorage({ url: redisUrl(), namespace })
  onTestFinished(async () => {
    await storage.close()
    await removeNamespaces(new Redis(redisUrl()), [namespace])
  })
  await storage.work.open({ id: 'session', server: 'host', ttl: 30_000, info: '{}' })
  return storage
}

function claiming(max: number, extra?: number): Claim {
  return { max, extra, queues: [{ name: 'mail' }], state: { name: 'processing', phase: 'active' } }
}

function succeed({ id, token }: Pick<ClaimedJob, 'id' | 'token'>, more: Partial<Transition> = {}): Transition {
  return { id, token, to: { name: 'succeeded', phase: 'succeeded', data: '42' }, ranMs: 7, ...more }
}

async function claimAll(storage: JobStorage, call: number, max = 100): Promise<readonly ClaimedJob[]> {
  return (await storage.work.exchange({ session: 'session', call, apply: [], claim: claiming(max) })).claimed
}

async function end(storage: JobStorage, call: number, apply: readonly Transition[]): Promise<readonly ApplyOutcome[]> {
  return (await storage.work.exchange({ session: 'session', call, apply })).applied
}

async function phasesOf(storage: JobStorage, jobs: readonly NewJob[]): Promise<(string | undefined)[]> {
  return (await storage.monitor.get(jobs.map(({ id }) => id))).map((view) => view?.state.phase)
}

test('a plain job is told like any other, from its creation to its end', async () => {
  const lives = []
  for (const [, more] of kinds) {
    const storage = await scratch()
    const made = job({ ...more, priority: 7 })
    await storage.jobs.create([made])
    const [claimed] = await claimAll(storage, 1)
    const running = await storage.monitor.get([made.id])
    expect(await end(storage, 2, [succeed(claimed!)])).toEqual([{ ok: 'applied', released: 0 }])
    lives.push({
      claimed,
      running,
      ended: await storage.monitor.get([made.id]),
      history: await storage.monitor.history(made.id),
      counts: await storage.monitor.counts(),
      listed: await storage.monitor.list({ phase: ['succeeded'] }, { limit: 10 }),
    })
  }
  const [plain, ...others] = lives.map(
    (life) =>
      JSON.parse(
        JSON.stringify(life, (key, value: unknown) =>
          ['id', 'tags', 'params', 'waitedMs'].includes(key) || (typeof value === 'number' && value > 1e12)
            ? null
            : value,
        ),
      ) as unknown,
  )
  for (const other of others) expect(other).toEqual(plain)
  expect(
    lives[0]!.history.map(({ n, name, by, attempt, reason, data }) => ({ n, name, by, attempt, reason, data })),
  ).toEqual([
    { n: 1, name: 'enqueued', by: 'client', attempt: 0, reason: 'asked for', data: undefined },
    { n: 2, name: 'processing', by: 'host', attempt: 1, reason: undefined, data: undefined },
    { n: 3, name: 'succeeded', by: 'host', attempt: 1, reason: undefined, data: '42' },
  ])
})

test('plain and other jobs are claimed in their common order, past those that left', async () => {
  const storage = await scratch()
  const specials: Partial<NewJob>[] = [
    {},
    {},
    { tags: ['a'] },
    { gates: [{ key: 'wide', limit: 1_000 }] },
    { payload: 'x'.repeat(3_000) },
    { unique: { key: 'own', until: 'claimed', conflict: 'skip' } },
    { payload: new Uint8Array([1, 2, 3]) },
    { name: 'mail.other', state: { name: 'enqueued', phase: 'ready' } },
  ]
  const made = Array.from({ length: 160 }, (_, index) => {
    const special = specials[(index * 7) % specials.length]!
    const unique = special.unique && { ...special.unique, key: `own ${index}` }
    return job({ ...special, ...(unique && { unique }), priority: (index * 5) % 3 })
  })
  for (let at = 0; at < made.length; at += 40) await storage.jobs.create(made.slice(at, at + 40))
  const gone = new Set(made.filter((_, index) => index % 11 === 3).map(({ id }) => id))
  const command = { to: { name: 'deleted', phase: 'deleted' }, from: ['ready'] } as const
  await storage.jobs.apply([...gone].map((id) => ({ id, ...command })))

  const order = [0, 1, 2].flatMap((priority) => made.filter((one) => one.priority === priority && !gone.has(one.id)))
  const found: ClaimedJob[] = []
  for (let call = 1; found.length < order.length; call++) {
    const reply = await storage.work.exchange({ session: 'session', call, apply: [], claim: claiming(9, 4) })
    expect(reply.claimed.length).toBeGreaterThan(0)
    found.push(...reply.claimed)
  }
  expect(found.map(({ id }) => id)).toEqual(order.map(({ id }) => id))
  expect(found.map(({ payload, name }) => ({ payload, name }))).toEqual(
    order.map(({ payload, name }) => ({ payload, name })),
  )
  expect((await storage.monitor.counts()).byPhase).toMatchObject({ ready: 0, active: order.length, deleted: gone.size })
})

test('plain jobs that are handed back come before those behind them, and are claimed once', async () => {
  const storage = await scratch()
  const made = [job(), job(), job(), job()]
  await storage.jobs.create(made)
  const [first, second] = await claimAll(storage, 1, 2)
  const back = { to: { name: 'enqueued', phase: 'ready' }, attempt: 'undo' } as const
  const apply = [first!, second!].map(({ id, token }) => ({ id, token, ...back }))
  const { claimed } = await storage.work.exchange({ session: 'session', call: 2, apply, claim: claiming(10) })
  expect(claimed.map(({ id, attempt }) => [id, attempt])).toEqual(made.map(({ id }) => [id, 1]))
})

test.each(kinds)('a %s job that a session gives away and takes again in one call is held by it', async (_, more) => {
  const storage = await scratch()
  await storage.jobs.create([job(more), job(more), job(more)])
  const [a, b, c] = await claimAll(storage, 1)
  const ready = { name: 'enqueued', phase: 'ready' } as const
  const apply: Transition[] = [
    { id: a!.id, token: a!.token, to: ready, attempt: 'undo' },
    succeed(b!),
    { id: b!.id, to: ready, from: ['succeeded'] },
    succeed(c!),
  ]
  const reply = await storage.work.exchange({ session: 'session', call: 2, apply, claim: claiming(10) })
  expect(reply.claimed.map(({ id }) => id)).toEqual([a!.id, b!.id])
  const active = await storage.monitor.list({ phase: ['active'] }, { limit: 10 })
  expect(active.items.map(({ id }) => id).toSorted()).toEqual([a!.id, b!.id].toSorted())
  await storage.work.end('session')
  expect((await storage.monitor.counts()).byPhase).toMatchObject({ ready: 2, active: 0, succeeded: 1 })
})

test.each(kinds)('the last 200 states of a %s job are kept, and its run, however often it ran', async (_, more) => {
  const storage = await scratch()
  const made = job(more)
  await storage.jobs.create([made])
  const again = { to: { name: 'enqueued', phase: 'ready' }, from: ['succeeded'] } as const
  let [held] = await claimAll(storage, 1)
  for (let call = 2; call <= 70; call++) {
    const apply = [succeed(held!), { id: made.id, ...again }]
    const { claimed } = await storage.work.exchange({ session: 'session', call, apply, claim: claiming(1) })
    ;[held] = claimed
  }
  await end(storage, 71, [succeed(held!)])
  const history = await storage.monitor.history(made.id)
  expect(history.map(({ n }) => n)).toEqual(Array.from({ length: 200 }, (_none, index) => 11 + index))
  expect(new Set(history.map(({ n, name }) => `${n % 3} ${name}`))).toEqual(
    new Set(['1 enqueued', '2 processing', '0 succeeded']),
  )
  expect((await storage.monitor.get([made.id]))[0]).toMatchObject({ ranMs: 7, attempt: 70 })
})

test.each(kinds)('a %s end that is stale, repeated or of nobody changes nothing', async (_, more) => {
  const storage = await scratch()
  const made = [job(more), job(more), job(more)]
  await storage.jobs.create(made)
  const [a, b, c] = await claimAll(storage, 1)
  const late = { id: b!.id, token: b!.token.replace(/\d+$/, '9') as ClaimedJob['token'] }
  const nobody = { id: job().id, token: a!.token }
  const odd = { id: `${'ü'.repeat(13)}${'x'.repeat(13)}` as NewJob['id'], token: a!.token }
  expect(
    await end(storage, 2, [succeed(a!), succeed(a!), succeed(late), succeed(nobody), succeed(odd), succeed(c!)]),
  ).toEqual([
    { ok: 'applied', released: 0 },
    { ok: 'already' },
    { ok: 'stale' },
    { ok: 'missing' },
    { ok: 'missing' },
    { ok: 'applied', released: 0 },
  ])
  expect(await end(storage, 3, [succeed(a!), succeed(b!)])).toEqual([{ ok: 'stale' }, { ok: 'applied', released: 0 }])
  expect((await storage.monitor.history(a!.id)).map(({ name }) => name)).toEqual([
    'enqueued',
    'processing',
    'succeeded',
  ])
  expect((await storage.monitor.counts()).byPhase).toMatchObject({ ready: 0, active: 0, succeeded: 3 })
  expect((await storage.work.reconcile('session', 3, [succeed(a!), succeed(b!)])).applied).toEqual([
    { ok: 'stale' },
    { ok: 'already' },
  ])
})

test('an end meets what other ends of its call made of its job', async () => {
  const storage = await scratch()
  const parents = [job(), job(), job(), job()]
  await storage.jobs.create(parents)
  const [a, b, c, d] = await claimAll(storage, 1)
  const child = (parent: ClaimedJob): NewJob =>
    job({
      state: { name: 'awaiting', phase: 'awaiting' },
      after: [{ parent: parent.id, on: ['succeeded'] }],
    })
  const [before, after] = [child(b!), child(c!)]
  const created = [{ ok: 'created' }]
  expect(
    await end(storage, 2, [
      succeed(a!, { create: [before] }),
      succeed(b!),
      succeed(c!),
      succeed(d!, { create: [after] }),
    ]),
  ).toEqual([
    { ok: 'applied', released: 0, created },
    { ok: 'applied', released: 1 },
    { ok: 'applied', released: 0 },
    { ok: 'applied', released: 0, created },
  ])
  expect(await phasesOf(storage, [...parents, before, after])).toEqual([
    ...parents.map(() => 'succeeded'),
    'ready',
    'ready',
  ])
})

test('what a plain job said last is kept with its end', async () => {
  const storage = await scratch()
  const made = job()
  await storage.jobs.create([made])
  const [claimed] = await claimAll(storage, 1)
  const note = { id: made.id, token: claimed!.token, progress: '0.9', log: { from: 1, lines: ['nearly'] } }
  const reply = await storage.work.exchange({ session: 'session', call: 2, apply: [succeed(claimed!)], notes: [note] })
  expect(reply).toMatchObject({ noted: [true], applied: [{ ok: 'applied', released: 0 }] })
  expect(await storage.monitor.get([made.id])).toMatchObject([{ state: { phase: 'succeeded' }, progress: '0.9' }])
})

test('one job that is there already does not keep the others of its list from being created', async () => {
  const storage = await scratch()
  const [known, twice, ...fresh] = [job(), job(), job(), job(), job()]
  await storage.jobs.create([known!])
  const list = [fresh[0]!, known!, fresh[1]!, twice!, twice!, job({ id: 'short' as NewJob['id'] }), fresh[2]!]
  expect((await storage.jobs.create(list)).map(({ ok }) => ok)).toEqual([
    'created',
    'exists',
    'created',
    'created',
    'exists',
    'invalid',
    'created',
  ])
  const claimed = await claimAll(storage, 1)
  expect(claimed.map(({ id }) => id)).toEqual([known!, fresh[0]!, fresh[1]!, twice!, fresh[2]!].map(({ id }) => id))
})

test('children are created in one list with the plain jobs they wait for', async () => {
  const storage = await scratch()
  const [parent, next] = [job(), job()]
  const child = job({
    state: { name: 'awaiting', phase: 'awaiting' },
    after: [{ parent: parent.id, on: ['succeeded'] }],
  })
  expect((await storage.jobs.create([child, parent, next])).map(({ ok }) => ok)).toEqual([
    'created',
    'created',
    'created',
  ])
  const [first, second] = await claimAll(storage, 1)
  expect([first!.id, second!.id]).toEqual([parent.id, next.id])
  expect(await end(storage, 2, [succeed(second!), succeed(first!)])).toEqual([
    { ok: 'applied', released: 0 },
    { ok: 'applied', released: 1 },
  ])
  expect((await claimAll(storage, 3)).map(({ id }) => id)).toEqual([child.id])
})
