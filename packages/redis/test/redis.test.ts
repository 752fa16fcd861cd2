import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { expect, onTestFinished, test } from 'vitest'
import { openUrl, redisStorage } from '@q/redis'
import type { Claim, ClaimedJob, JobStorage, NewJob, Transition } from '@q/core/storage'
import { startRedis } from '../../../scripts/services/index.ts'
import { clusterUrls, newNamespace, redisUrl, removeNamespaces } from './scratch.ts'

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

function newId(): string {
  return `0${Array.from(randomBytes(25), (byte) => alphabet[byte & 31]).join('')}`
}

function job(more: Partial<NewJob> = {}): NewJob {
  const state = { name: 'enqueued', phase: 'ready' } as const
  return { id: newId(), queue: 'mail', name: 'mail.send', version: 1, payload: '{"to":"someone"}', state, ...more }
}

function jobs(count: number, more: Partial<NewJob> = {}): NewJob[] {
  return Array.from({ length: count }, () => job(more))
}

function claiming(max: number, queue = 'mail'): Claim {
  return { max, queues: [{ name: queue }], state: { name: 'processing', phase: 'active' } }
}

function succeed({ id, token }: ClaimedJob, keep?: number): Transition {
  return { id, token, to: { name: 'succeeded', phase: 'succeeded' }, ranMs: 3, ...(keep === undefined ? {} : { keep }) }
}

/** A storage on the tests' server, closed and cleaned when the test ends. */
function scratch(): { readonly storage: JobStorage; readonly namespace: string } {
  const namespace = newNamespace()
  const storage = redisStorage({ url: redisUrl(), namespace })
  onTestFinished(async () => {
    await storage.close()
    await removeNamespaces(new Redis(redisUrl()), [namespace])
  })
  return { storage, namespace }
}

async function privateServer(
  options: Parameters<typeof startRedis>[0] = {},
): Promise<Awaited<ReturnType<typeof startRedis>>> {
  const server = await startRedis(options)
  onTestFinished(() => server.stop())
  return server
}

async function openSession(storage: JobStorage, id: string): Promise<void> {
  await storage.work.open({ id, server: 'host', ttl: 30_000, info: '{}' })
}

/** Claims and completes until nothing is left; how many. */
async function drain(storage: JobStorage, session: string, keep?: number, queue = 'mail'): Promise<number> {
  let [call, held, total]: [number, readonly ClaimedJob[], number] = [0, [], 0]
  do {
    const apply = held.map((claimed) => succeed(claimed, keep))
    const reply = await storage.work.exchange({ session, call: ++call, apply, claim: claiming(100, queue) })
    held = reply.claimed
    total += held.length
  } while (held.length > 0)
  return total
}

async function until(what: string, isTrue: () => Promise<boolean>, withinMs = 15_000): Promise<void> {
  const giveUpAt = performance.now() + withinMs
  while (!(await isTrue())) {
    if (performance.now() > giveUpAt) throw new Error(`not within ${withinMs} ms: ${what}`)
    await pause(10)
  }
}

test('scripts that the server forgets every 100 ms are sent again, and nothing is lost', async () => {
  const server = await privateServer()
  const storage = redisStorage({ url: server.url })
  const admin = new Redis(server.url)
  onTestFinished(async () => {
    await storage.close()
    admin.disconnect()
  })
  await openSession(storage, 'flushed')
  const flushing = setInterval(() => void admin.script('FLUSH'), 100)
  onTestFinished(() => clearInterval(flushing))
  let created = 0
  let completed = 0
  const endAt = performance.now() + 1_500
  while (performance.now() < endAt) {
    created += (await storage.jobs.create(jobs(20))).filter(({ ok }) => ok === 'created').length
  }
  completed = await drain(storage, 'flushed')
  expect(completed).toBe(created)
  expect((await storage.monitor.counts()).byPhase.succeeded).toBe(created)
})

test('a server that would evict jobs is refused with the command that cures it', async () => {
  const server = await privateServer({ settings: { 'maxmemory-policy': 'allkeys-lru' } })
  const storage = redisStorage({ url: server.url })
  onTestFinished(() => storage.close())
  await expect(storage.start()).rejects.toMatchObject({
    code: 'Q_STORAGE_UNSUPPORTED',
    message: expect.stringContaining('CONFIG SET maxmemory-policy noeviction'),
  })
  const admin = new Redis(server.url)
  onTestFinished(() => admin.disconnect())
  await admin.config('SET', 'maxmemory-policy', 'noeviction')
  await storage.start()
})

test.each([
  ['none', {}],
  ['lazy', { settings: { save: '3600 1' } }],
  ['lazy', { aof: 'everysec' }],
  ['synced', { aof: 'always' }],
] as const)('durability is "%s" for %o', async (durability, options) => {
  const server = await privateServer(options)
  const storage = redisStorage({ url: server.url })
  onTestFinished(() => storage.close())
  await storage.start()
  expect(storage.capabilities.durability).toBe(durability)
})

test('where CONFIG is forbidden the label says that settings are not proven', async () => {
  const server = await privateServer()
  const admin = new Redis(server.url)
  onTestFinished(() => admin.disconnect())
  await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all', '-config')
  const storage = redisStorage({ url: server.url.replace('//', '//app:secret@') })
  onTestFinished(() => storage.close())
  expect((await storage.jobs.create([job()]))[0]?.ok).toBe('created')
  expect(storage.label).toContain('not proven')
  expect(storage.label).not.toContain('secret')
})

test('every key of a namespace is in one slot, whatever names it is given', async () => {
  const hostile = ['{a}', 'a}:b{', '*', 'new\nline', '%7B', 'ü🙂"\'', 'x'.repeat(1_000), '1:1:1']
  const { storage, namespace } = scratch()
  await openSession(storage, 'hostile')
  for (const [index, name] of hostile.entries()) {
    const made = job({
      queue: name,
      name,
      tags: [name],
      params: { [name]: name },
      unique: { key: name, until: 'final', conflict: 'skip' },
      gates: [{ key: name, limit: 1 }],
    })
    expect(await storage.jobs.create([made, job({ queue: name, gates: [{ key: name, limit: 1 }] })])).toEqual([
      { ok: 'created' },
      { ok: 'created' },
    ])
    const claim = { ...claiming(5), queues: [{ name }] }
    const { claimed } = await storage.work.exchange({ session: 'hostile', call: index * 2 + 1, apply: [], claim })
    expect(claimed).toMatchObject([{ id: made.id, queue: name, name, tags: [name], params: { [name]: name } }])
    await storage.locks.acquire(name, 'owner', 1_000)
  }
  const client = new Redis(redisUrl())
  onTestFinished(() => client.disconnect())
  let cursor = '0'
  const slots = new Set<unknown>()
  do {
    const [next, keys] = await client.scanBuffer(cursor, 'MATCH', `{${namespace}}:*`, 'COUNT', 1_000)
    cursor = next.toString()
    for (const key of keys) slots.add(key.subarray(0, key.indexOf('}') + 1).toString())
  } while (cursor !== '0')
  expect([...slots]).toEqual([`{${namespace}}`])
})

test('a namespace with braces is its own', async () => {
  const namespaces = [`${newNamespace()}}x{`, newNamespace()]
  const storages = namespaces.map((namespace) => redisStorage({ url: redisUrl(), namespace }))
  onTestFinished(async () => {
    for (const storage of storages) await storage.close()
    await removeNamespaces(
      new Redis(redisUrl()),
      namespaces.map((namespace) => namespace.replaceAll('}', '%7D').replaceAll('{', '%7B')),
    )
  })
  await storages[0]!.jobs.create([job()])
  expect((await storages[0]!.monitor.counts()).byPhase.ready).toBe(1)
  expect((await storages[1]!.monitor.counts()).byPhase.ready).toBe(0)
})

test('a server that is full refuses new jobs, and running ones still end', async () => {
  const server = await privateServer()
  const storage = redisStorage({ url: server.url })
  const admin = new Redis(server.url)
  onTestFinished(async () => {
    await storage.close()
    admin.disconnect()
  })
  await openSession(storage, 'full')
  await storage.jobs.create(jobs(10))
  const { claimed } = await storage.work.exchange({ session: 'full', call: 1, apply: [], claim: claiming(5) })
  await admin.config('SET', 'maxmemory', '1')
  await expect(storage.jobs.create([job()])).rejects.toMatchObject({
    code: 'Q_STORAGE_UNAVAILABLE',
    message: expect.stringContaining('out of memory'),
  })
  const reply = await storage.work.exchange({ session: 'full', call: 2, apply: claimed.map((one) => succeed(one)) })
  expect(reply.applied.map(({ ok }) => ok)).toEqual(['applied', 'applied', 'applied', 'applied', 'applied'])
  await admin.config('SET', 'maxmemory', '0')
  expect((await storage.jobs.create([job()]))[0]?.ok).toBe('created')
  expect((await storage.monitor.counts()).byPhase).toMatchObject({ ready: 6, succeeded: 5 })
})

test('a storage goes on by itself when its server was killed and is back', async () => {
  const server = await privateServer({ aof: 'always' })
  const storage = redisStorage({ url: server.url })
  onTestFinished(() => storage.close())
  await storage.jobs.create(jobs(10))
  await server.kill()
  await expect(storage.jobs.create([job()])).rejects.toMatchObject({
    code: expect.stringMatching(/^Q_(STORAGE_UNAVAILABLE|AMBIGUOUS)$/),
  })
  await server.restart()
  await until('jobs can be created again', async () =>
    storage.jobs.create([job()]).then(
      ([outcome]) => outcome?.ok === 'created',
      () => false,
    ),
  )
  expect((await storage.monitor.counts()).byPhase.ready).toBeGreaterThanOrEqual(11)
})

test('the memory of finished jobs comes back when their retention ends', async () => {
  const server = await privateServer()
  const storage = redisStorage({ url: server.url })
  const admin = new Redis(server.url)
  onTestFinished(async () => {
    await storage.close()
    admin.disconnect()
  })
  const jobKeys = async (): Promise<number> => Number(/keys=(\d+)/.exec(await admin.info('keyspace'))?.[1] ?? 0)
  await openSession(storage, 'swept')
  await storage.jobs.create(jobs(100))
  await drain(storage, 'swept', 0)
  for (let batch = 0; batch < 20; batch++) await storage.jobs.create(jobs(500))
  await openSession(storage, 'swept-2')
  expect(await drain(storage, 'swept-2', 0)).toBe(10_000)
  await until('everything is swept', async () => !(await storage.upkeep.sweep(500)).again)
  const counts = await storage.monitor.counts()
  expect(Object.values(counts.byPhase).every((count) => count === 0)).toBe(true)
  // What is left of a job for two minutes is a stub that expires by itself; of the rest nothing grows with their number.
  const expiring = Number(/expires=(\d+)/.exec(await admin.info('keyspace'))?.[1] ?? 0)
  expect((await jobKeys()) - expiring).toBeLessThan(40)
  for (const key of await admin.keys('{q}:*')) {
    if (key.startsWith('{q}:j:')) continue
    expect({ key, isSmall: Number(await admin.memory('USAGE', key, 'SAMPLES', 0)) < 40_000 }).toEqual({
      key,
      isSmall: true,
    })
  }
})

test('a waiting job takes at most 400 bytes, its payload of 115 among them', async () => {
  const server = await privateServer()
  const storage = redisStorage({ url: server.url })
  const admin = new Redis(server.url)
  onTestFinished(async () => {
    await storage.close()
    admin.disconnect()
  })
  const used = async (): Promise<number> => Number(/used_memory_dataset:(\d+)/.exec(await admin.info('memory'))![1])
  const overhead = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await admin.info('memory'))![1])
  await storage.jobs.create(jobs(100))
  const before = await overhead()
  for (let batch = 0; batch < 200; batch++) await storage.jobs.create(jobs(100, { payload: 'x'.repeat(115) }))
  expect(await used()).toBeGreaterThan(0)
  expect(((await overhead()) - before) / 20_000).toBeLessThan(400)
})

test('lists stay short reads when nearly all jobs of a phase have left it', async () => {
  const { storage, namespace } = scratch()
  await openSession(storage, 'compact')
  for (let batch = 0; batch < 20; batch++) await storage.jobs.create(jobs(500))
  await drain(storage, 'compact')
  await until('nothing is left to sweep', async () => !(await storage.upkeep.sweep(500)).again)
  const client = new Redis(redisUrl())
  onTestFinished(() => client.disconnect())
  expect(await client.xlen(`{${namespace}}:s:3`)).toBeLessThan(60)
  expect((await storage.monitor.list({ phase: ['ready'] }, { limit: 10 })).items).toEqual([])
  expect((await storage.monitor.list({ phase: ['succeeded'] }, { limit: 10 })).items).toHaveLength(10)
})

test('what a list does not show is read past in few calls, and nothing is left out or told twice', async () => {
  const { url } = await privateServer()
  await using storage = redisStorage(url)
  const rare = Array.from({ length: 12 }, () => job({ name: 'mail.rare' }))
  for (const one of rare) await storage.jobs.create([...jobs(60), one])
  await openSession(storage, 'session')
  const call = { session: 'session', call: 1, apply: [], claim: claiming(400) }
  const { claimed } = await storage.work.exchange(call)
  await storage.work.exchange({ session: 'session', call: 2, apply: claimed.slice(0, 200).map((one) => succeed(one)) })
  const watch = new Redis(url)
  onTestFinished(() => watch.disconnect())
  for (const order of ['newest', 'oldest'] as const) {
    await watch.config('RESETSTAT')
    const { items } = await storage.monitor.list({ name: ['mail.rare'] }, { limit: 20, order })
    const calls = /cmdstat_evalsha:calls=(\d+)/.exec(await watch.info('commandstats'))
    expect(items.map(({ id }) => id).sort()).toEqual(rare.map(({ id }) => id).sort())
    expect(Number(calls![1])).toBeLessThan(25)
  }
})

test('deleted waiting jobs leave bounded garbage, and those between them keep their order', async () => {
  const { storage, namespace } = scratch()
  await openSession(storage, 'garbage')
  const made: NewJob[] = []
  for (let batch = 0; batch < 6; batch++) made.push(...jobs(500))
  for (let at = 0; at < made.length; at += 500) await storage.jobs.create(made.slice(at, at + 500))
  const stays = (index: number): boolean => index % 100 === 50
  const remove: Transition[] = made
    .filter((_, index) => !stays(index))
    .map(({ id }) => ({ id, from: ['ready'], to: { name: 'deleted', phase: 'deleted' }, keep: 0 }))
  for (let at = 0; at < remove.length; at += 500) await storage.jobs.apply(remove.slice(at, at + 500))
  await until('nothing is left to sweep', async () => !(await storage.upkeep.sweep(500)).again)
  const client = new Redis(redisUrl())
  onTestFinished(() => client.disconnect())
  expect(await client.llen(`{${namespace}}:r:100:mail`)).toBeLessThanOrEqual(1_500)
  const { claimed } = await storage.work.exchange({ session: 'garbage', call: 1, apply: [], claim: claiming(100) })
  expect(claimed.map(({ id }) => id)).toEqual(made.filter((_, index) => stays(index)).map(({ id }) => id))
})

test.each([
  ['6', (url: string) => new Redis(url)],
  ['5', (url: string) => new Redis5(url) as unknown as Redis],
])('a client of ioredis %s is used as given and never closed', async (_, connect) => {
  const client = connect(redisUrl())
  const namespace = newNamespace()
  const storage = redisStorage({ client, namespace })
  onTestFinished(async () => {
    client.disconnect()
    await removeNamespaces(new Redis(redisUrl()), [namespace])
  })
  await openSession(storage, 'given')
  await storage.jobs.create(jobs(10, { payload: new Uint8Array([0, 255, 128]) }))
  expect(await drain(storage, 'given')).toBe(10)
  const woken = Promise.withResolvers<void>()
  const watch = await storage.wakeups.watch([{ queue: 'mail' }], () => woken.resolve())
  await storage.jobs.create([job()])
  await woken.promise
  await watch.close()
  await storage.close()
  expect(await client.ping()).toBe('PONG')
})

test('a client of a cluster is used as given and never closed', async () => {
  const client = new Cluster([...clusterUrls()])
  const namespace = newNamespace()
  const storage = redisStorage({ client, namespace })
  onTestFinished(() => removeNamespaces(client, [namespace]))
  await openSession(storage, 'given')
  await storage.jobs.create(jobs(10))
  expect(await drain(storage, 'given')).toBe(10)
  await storage.close()
  expect(await client.ping()).toBe('PONG')
})

test('a master is found through its sentinels', async () => {
  const server = await privateServer()
  const sentinel = await startSentinel(server.port)
  const storage = redisStorage({
    sentinel: { name: 'jobs', sentinels: [{ host: '127.0.0.1', port: sentinel.port }] },
  })
  onTestFinished(() => storage.close())
  await openSession(storage, 'sentinel')
  await storage.jobs.create(jobs(10))
  expect(await drain(storage, 'sentinel')).toBe(10)
})

async function startSentinel(masterPort: number): Promise<{ readonly port: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'q-sentinel-'))
  const port = await freePort()
  const settings = join(folder, 'sentinel.conf')
  await writeFile(
    settings,
    `port ${port}\nbind 127.0.0.1\ndir ${folder}\nsentinel monitor jobs 127.0.0.1 ${masterPort} 1\n`,
  )
  const sentinel = spawn(process.env['REDIS_SERVER_BIN'] ?? 'redis-server', [settings, '--sentinel'], {
    stdio: 'ignore',
  })
  onTestFinished(async () => {
    const exited = once(sentinel, 'exit')
    sentinel.kill('SIGKILL')
    await exited
    await rm(folder, { recursive: true })
  })
  await until('the sentinel answers', () => isListening(port))
  return { port }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function isListening(port: number): Promise<boolean> {
  const probe = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: () => null })
  probe.on('error', () => undefined)
  return probe
    .ping()
    .then(
      () => true,
      () => false,
    )
    .finally(() => probe.disconnect())
}

test('a pacemaker renews the session of a busy loop, and not that of a dead one, or one that renews itself', async () => {
  const { storage } = scratch()
  const ttl = 2_000
  for (const id of ['busy', 'dead', 'renewing']) await storage.work.open({ id, server: 'host', ttl, info: '{}' })
  const busy = storage.work.pacemaker!('busy', { ttl, maxStall: 60_000 })
  const dead = storage.work.pacemaker!('dead', { ttl, maxStall: 1 })
  const renewing = storage.work.pacemaker!('renewing', { ttl, maxStall: 60_000 })
  // It was renewed by calls for the hour to come, as far as the thread can see.
  renewing.tick(-3_600_000)
  onTestFinished(async () => {
    await renewing.close()
    await busy.close()
    await dead.close()
  })
  const seenAt = async (wanted: string): Promise<number> => {
    const sessions = await storage.monitor.sessions()
    const { openedAt, seenAt } = sessions.find(({ id }) => id === wanted)!
    return seenAt - openedAt
  }
  await until('the busy session was renewed more than once', async () => (await seenAt('busy')) > ttl * 1.5)
  expect(await seenAt('dead')).toBe(0)
  expect(await seenAt('renewing')).toBe(0)
})

test('URLs name the namespace, and a bad one is refused without its secret', () => {
  expect(openUrl('redis://user:secret@localhost:6379/2?namespace=mine').label).toBe(
    'redis redis://localhost:6379/2 namespace "mine"',
  )
  expect(() => redisStorage('localhost:6379')).toThrow(expect.objectContaining({ code: 'Q_OPTION_INVALID' }))
  expect(() => redisStorage('http://user:secret@localhost')).not.toThrow(/secret/)
  expect(() => redisStorage({})).toThrow(/exactly one/)
})

test('a subscription whose confirmation never comes holds nobody up, and is asked for again', async () => {
  const { storage: here, namespace } = scratch()
  const { hostname, port } = new URL(redisUrl())
  let swallowed = 0
  const line = createServer((client) => {
    const server = connect(Number(port || 6379), hostname)
    client.on('data', (bytes) => {
      if (swallowed === 0 && /\r\nsubscribe\r\n/i.test(bytes.toString('latin1'))) swallowed++
      else server.write(bytes)
    })
    server.pipe(client)
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
  }).listen(0, '127.0.0.1')
  await once(line, 'listening')
  const there = redisStorage({
    url: `redis://127.0.0.1:${(line.address() as AddressInfo).port}/${new URL(redisUrl()).pathname.slice(1)}`,
    namespace,
  })
  onTestFinished(async () => {
    await there.close()
    line.close()
  })
  await there.start()
  const woken = Promise.withResolvers<void>()
  await there.wakeups.watch([{ queue: 'mail' }], () => woken.resolve())
  expect(swallowed).toBe(1)
  await here.jobs.create([job()])
  await woken.promise
  // Not only by chance: from now on every message comes.
  for (let round = 0; round < 3; round++) {
    const again = Promise.withResolvers<void>()
    const watch = await there.wakeups.watch([{ queue: 'mail' }], () => again.resolve())
    await here.jobs.create([job()])
    await again.promise
    await watch.close()
  }
})
