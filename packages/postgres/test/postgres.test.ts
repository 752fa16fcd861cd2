import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type JobStorage, type NewJob, type QError, isQError } from '@q/core/storage'
import { type PostgresStorage, openUrl, postgresStorage } from '@q/postgres'
import { TcpProxy } from '@q/testkit'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { databaseUrl, onServer, pgbouncerUrl } from './on-server.ts'
import { dropSchemas, newSchema, quoted, returnSchema, takeSchema } from './schemas.ts'

const cleanUps: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

afterAll(dropSchemas)

/** A schema that holds nothing; by a name of its own also no tables. */
function scratchSchema(name?: string): string {
  if (name === undefined) {
    const taken = takeSchema()
    cleanUps.push(() => returnSchema(taken))
    return taken
  }
  cleanUps.push(() => onServer((client) => client.query(`drop schema if exists ${quoted(name)} cascade`)))
  return name
}

function opened(options: Parameters<typeof postgresStorage>[0]): PostgresStorage {
  const storage = postgresStorage(options)
  cleanUps.push(() => storage.close())
  return storage
}

let made = 0

function job(over: Partial<NewJob> = {}): NewJob {
  const id = `01${(Date.now() * 1000 + made++).toString().padStart(24, '0')}`
  return {
    id,
    queue: 'mail',
    name: 'send',
    version: 1,
    payload: '{}',
    state: { name: 'enqueued', phase: 'ready' },
    ...over,
  }
}

async function claim(storage: JobStorage, session: string, call: number, max = 100) {
  return storage.work.exchange({
    session,
    call,
    apply: [],
    claim: { max, queues: [{ name: 'mail' }], state: { name: 'processing', phase: 'active' } },
  })
}

async function openSession(storage: JobStorage): Promise<string> {
  const id = newSchema()
  await storage.work.open({ id, server: 'here', ttl: 30_000, info: '{}' })
  return id
}

async function until(probe: () => Promise<boolean> | boolean, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error('did not happen in time')
    await pause(5)
  }
}

describe('the schema', () => {
  test.each(['a"; drop table x; --', "it's", 'Über $$ $q$', 'sélect', '{q}'])('may be called %s', async (name) => {
    const schema = scratchSchema(`${name} ${newSchema()}`)
    const storage = opened({ connectionString: databaseUrl, schema })
    const created = job()
    expect(await storage.jobs.create([created])).toEqual([{ ok: 'created' }])
    const session = await openSession(storage)
    const { claimed } = await claim(storage, session, 1)
    expect(claimed.map(({ id }) => id)).toEqual([created.id])
    expect(await storage.locks.acquire('l', 'o', 1000)).toMatchObject({ owner: 'o' })
    expect((await storage.monitor.list({}, { limit: 5 })).items).toHaveLength(1)
  })

  test('that PostgreSQL would cut is refused at once', () => {
    expect(() => postgresStorage({ connectionString: databaseUrl, schema: 'x'.repeat(64) })).toThrow(/63 bytes/)
  })

  test('is made once by eight storages that start together', async () => {
    const schema = scratchSchema(newSchema())
    const storages = Array.from({ length: 8 }, () => opened({ connectionString: databaseUrl, schema, connections: 1 }))
    await Promise.all(storages.map((storage) => storage.start()))
    const rows = await onServer((client) => client.query(`select id from ${quoted(schema)}.migration`))
    expect(new Set(rows.rows.map(({ id }) => id)).size).toBe(rows.rowCount)
  })

  test('is named by the URL of openStorage', async () => {
    const schema = scratchSchema()
    const url = new URL(databaseUrl)
    url.searchParams.set('schema', schema)
    const storage = openUrl(url.href)
    cleanUps.push(() => storage.close())
    expect(await storage.jobs.create([job()])).toEqual([{ ok: 'created' }])
    expect(storage.label).toContain(schema)
  })

  test('that half was made is finished by the next start', async () => {
    const schema = scratchSchema(newSchema())
    // As a process that was killed between making the schema and its first commit would leave it.
    await onServer((client) => client.query(`create schema ${quoted(schema)}`))
    expect(await opened({ connectionString: databaseUrl, schema }).jobs.create([job()])).toEqual([{ ok: 'created' }])
  })
})

describe('a migration', () => {
  test('whose process is killed in the middle leaves nothing behind, and the next start makes it', async () => {
    const schema = newSchema()
    scratchSchema(schema)
    const name = newSchema()
    const url = new URL(databaseUrl)
    url.searchParams.set('application_name', name)
    await onServer(async (blocker) => {
      const q = quoted(schema)
      await blocker.query(`create schema ${q}`)
      await blocker.query(
        `create table ${q}.migration (id text primary key, applied_at timestamptz not null default now())`,
      )
      // The child makes everything, and then waits to write down its last step.
      await blocker.query('begin')
      await blocker.query(`insert into ${q}.migration (id) values ('0002-create-functions')`)
      const child = spawn(
        process.execPath,
        ['--conditions=@q/source', fileURLToPath(new URL('./migrate-in-child.ts', import.meta.url)), url.href, schema],
        { stdio: 'ignore' },
      )
      const ended = once(child, 'exit')
      await until(() => isWaiting(name), 30_000)
      child.kill('SIGKILL')
      await ended
      await blocker.query('rollback')
    })
    const left = `select from pg_stat_activity where application_name = $1`
    await until(() => onServer(async (client) => (await client.query(left, [name])).rowCount === 0))
    const storage = opened({ connectionString: databaseUrl, schema })
    expect(await storage.jobs.create([job()])).toEqual([{ ok: 'created' }])
  })
})

async function isWaiting(name: string): Promise<boolean> {
  return onServer(async (client) => {
    const { rowCount } = await client.query(
      `select from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock'`,
      [name],
    )
    return rowCount === 1
  })
}

describe('tags', () => {
  test('are forgotten when no job has them any more', async () => {
    const schema = scratchSchema()
    const storage = opened({ connectionString: databaseUrl, schema })
    const [kept, swept] = [job({ tags: ['kept'] }), job({ tags: ['swept'], keep: { deleted: 0 } })]
    await storage.jobs.create([kept, swept])
    expect(await storage.monitor.names('tag', '', 10)).toEqual(['kept', 'swept'])
    const to = { name: 'deleted', phase: 'deleted' } as const
    await storage.jobs.apply([{ id: swept.id, from: ['ready'], to }])
    await until(async () => (await storage.upkeep.sweep(10)).removed === 1)
    const q = quoted(schema)
    await onServer((client) => client.query(`update ${q}.tag set seen_at = seen_at - 3600000`))
    await storage.upkeep.sweep(10)
    expect(await storage.monitor.names('tag', '', 10)).toEqual(['kept'])
  })
})

describe('a list of jobs that are alike', () => {
  test('keeps every payload as it was, in the order of the list', async () => {
    const storage = opened({ connectionString: databaseUrl, schema: scratchSchema() })
    const session = await openSession(storage)
    const odd = ['', '{}', '\u0001\u001e', 'a\u0001', '\u001eb', '\0', '\u0001b', '\ud800', 'é😀', '"\\{},NULL', '\n']
    for (const [n, list] of [odd, ...odd.map((payload) => [payload]), odd.slice(3)].entries()) {
      const created = list.map((payload) => job({ payload }))
      expect(await storage.jobs.create(created)).toEqual(list.map(() => ({ ok: 'created' })))
      const { claimed } = await claim(storage, session, n + 1)
      expect(claimed.map(({ id, payload }) => [id, payload])).toEqual(created.map(({ id, payload }) => [id, payload]))
    }
  })

  test('is sorted out when some of them are there already, or were until of late', async () => {
    const storage = opened({ connectionString: databaseUrl, schema: scratchSchema() })
    const [stored, swept, first, second] = [job(), job({ keep: { deleted: 0 } }), job(), job()]
    await storage.jobs.create([stored])
    await storage.jobs.create([swept])
    await storage.jobs.apply([{ id: swept.id, from: ['ready'], to: { name: 'deleted', phase: 'deleted' } }])
    await until(async () => (await storage.upkeep.sweep(10)).removed === 1)
    const outcomes = [{ ok: 'created' }, { ok: 'exists' }]
    expect(await storage.jobs.create([first, stored])).toEqual(outcomes)
    expect(await storage.jobs.create([second, job({ id: swept.id })])).toEqual(outcomes)
    const twice = job()
    expect(await storage.jobs.create([twice, twice])).toEqual(outcomes)
  })
})

describe('a pacemaker', () => {
  test('renews the session of a loop that stands still or turns, and not that of a dead one, or one that renews itself', async () => {
    const storage = opened({ connectionString: databaseUrl, schema: scratchSchema() })
    const ttl = 2_000
    const renewed = new Map<string, Set<number>>()
    for (const id of ['stuck', 'turning', 'dead', 'renewing']) {
      renewed.set(id, new Set())
      await storage.work.open({ id, server: 'host', ttl, info: '{}' })
      const pacemaker = storage.work.pacemaker!(id, { ttl, maxStall: id === 'dead' ? 1 : 60_000 })
      cleanUps.push(() => pacemaker.close())
      // It was renewed by calls for the hour to come, as far as the thread can see.
      if (id === 'renewing') pacemaker.tick(-3_600_000)
      if (id !== 'turning') continue
      const ticking = setInterval(() => pacemaker.tick(), ttl / 20)
      cleanUps.push(async () => clearInterval(ticking))
    }
    await until(async () => {
      for (const { id, openedAt, seenAt } of await storage.monitor.sessions()) {
        expect(seenAt).toBeGreaterThanOrEqual(openedAt)
        if (seenAt > openedAt) renewed.get(id)!.add(seenAt)
      }
      return renewed.get('stuck')!.size >= 4 && renewed.get('turning')!.size >= 2
    }, 30_000)
    expect(renewed.get('dead')!.size).toBe(0)
    expect(renewed.get('renewing')!.size).toBe(0)
  })
})

describe('a pool of the caller', () => {
  test('is used as given and not closed', async () => {
    const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 })
    cleanUps.push(() => pool.end())
    const storage = opened({ pool, schema: scratchSchema() })
    await storage.jobs.create([job()])
    await storage.close()
    expect((await pool.query<{ one: number }>('select 1 as one')).rows[0]?.one).toBe(1)
    expect(pool.listenerCount('error')).toBe(0)
  })

  test('whose default isolation is too strict is refused with the way out', async () => {
    const pool = new pg.Pool({
      connectionString: databaseUrl,
      options: '-c default_transaction_isolation=serializable',
    })
    cleanUps.push(() => pool.end())
    const storage = opened({ pool, schema: scratchSchema() })
    await expect(storage.start()).rejects.toThrow(/default_transaction_isolation/)
  })
})

describe('inside a transaction', () => {
  test('of Kysely a job is stored with what the caller stores, or not at all', async () => {
    const schema = scratchSchema()
    const storage = opened({ connectionString: databaseUrl, schema })
    const db = new Kysely<Record<string, never>>({
      dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: databaseUrl }) }),
    })
    cleanUps.push(() => db.destroy())
    const [kept, lost] = [job(), job()]
    await db.transaction().execute(async (trx) => {
      expect(await storage.jobs.within(trx).create([kept])).toEqual([{ ok: 'created' }])
      expect(await storage.monitor.get([kept.id])).toEqual([null])
    })
    const rolledBack = db.transaction().execute(async (trx) => {
      await storage.jobs.within(trx).create([lost])
      throw new Error('changed my mind')
    })
    await expect(rolledBack).rejects.toThrow('changed my mind')
    const [there, gone] = await storage.monitor.get([kept.id, lost.id])
    expect(there?.state.phase).toBe('ready')
    expect(gone).toBeNull()
  })

  test('of a pg client a unique key held by another transaction is unavailable, and the transaction goes on', async () => {
    const schema = scratchSchema()
    const storage = opened({ connectionString: databaseUrl, schema })
    await storage.start()
    const unique = { key: 'one', until: 'final', conflict: 'skip' } as const
    const [first, second] = [new pg.Client(databaseUrl), new pg.Client(databaseUrl)]
    for (const client of [first, second]) {
      await client.connect()
      cleanUps.push(() => client.end())
      await client.query('begin')
    }
    expect(await storage.jobs.within(first).create([job({ unique })])).toEqual([{ ok: 'created' }])
    const refused = storage.jobs.within(second).create([job({ unique })])
    await expect(refused).rejects.toSatisfy((error: unknown) => isQError(error, 'Q_STORAGE_UNAVAILABLE'))
    const other = job()
    expect(await storage.jobs.within(second).create([other])).toEqual([{ ok: 'created' }])
    await second.query('commit')
    await first.query('rollback')
    expect((await storage.monitor.get([other.id]))[0]?.state.phase).toBe('ready')
  })
})

describe('wake-ups', () => {
  test('come back after the connection that listens has died without a word', { timeout: 60_000 }, async () => {
    const schema = scratchSchema()
    const { hostname, port } = new URL(databaseUrl)
    const proxy = await TcpProxy.open({ host: hostname, port: Number(port || 5432) })
    cleanUps.push(() => proxy[Symbol.asyncDispose]())
    const listener = newSchema()
    const through = new URL(databaseUrl)
    through.port = String(proxy.port)
    through.searchParams.set('application_name', listener)
    const listen = { connectionString: through.href, canaryMs: 200 }
    const storage = opened({ connectionString: databaseUrl, schema, listen })
    const elsewhere = opened({ connectionString: databaseUrl, schema, listen: false })
    let woken = 0
    await storage.wakeups.watch([{ queue: 'mail' }], () => void woken++)
    await elsewhere.jobs.create([job()])
    await until(() => woken > 0)
    const listening = async (): Promise<number> => {
      const found = await onServer((client) =>
        client.query('select from pg_stat_activity where application_name = $1', [listener]),
      )
      return found.rowCount ?? 0
    }
    expect(await listening()).toBe(1)
    proxy.blackHole()
    await until(async () => (await listening()) === 0, 15_000)
    proxy.heal()
    await until(async () => (await listening()) === 1, 25_000)
    // The new connection listens a moment after it stands.
    await until(async () => {
      const before = woken
      await elsewhere.jobs.create([job()])
      return until(() => woken > before, 500).then(
        () => true,
        () => false,
      )
    })
  })

  test('are left to polling behind a pooler in transaction mode, and nothing stalls', async () => {
    const schema = scratchSchema()
    const storage = opened({ connectionString: pgbouncerUrl, schema })
    await storage.start()
    expect(storage.capabilities.push).toBe(false)
    const watch = await storage.wakeups.watch([{ queue: 'mail' }], () => undefined)
    await storage.jobs.create([job()])
    const session = await openSession(storage)
    expect((await claim(storage, session, 1)).claimed).toHaveLength(1)
    await watch.close()
  })
})

/** Messages of the protocol: all is well, and: the administrator ends this connection. */
const welcome = Buffer.concat([message('R', Buffer.alloc(4)), message('Z', Buffer.from('I'))])
const goodbye = message('E', Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0'))

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

describe('the history of a job', () => {
  test('never goes back in time, though a claim may start before the creation it sees has ended', async () => {
    const schema = scratchSchema()
    const storage = opened({ connectionString: databaseUrl, schema })
    const made = job()
    await storage.jobs.create([made])
    await onServer((client) => client.query(`update ${quoted(schema)}.pending set at = at + 60000`))
    const session = await openSession(storage)
    const { claimed } = await claim(storage, session, 1)
    expect(claimed[0]!.claimedAt).toBeGreaterThanOrEqual(claimed[0]!.readyAt)
    const end = { id: made.id, token: claimed[0]!.token, to: { name: 'succeeded', phase: 'succeeded' } } as const
    await storage.work.exchange({ session, call: 2, apply: [end] })
    const instants = (await storage.monitor.history(made.id)).map(({ at }) => at)
    expect(instants).toHaveLength(3)
    expect(instants).toEqual(instants.toSorted((a, b) => a - b))
  })
})

describe('that new jobs are told of at once', () => {
  test.each([
    ['straight to the server', { connectionString: databaseUrl }, true],
    [
      'by another way past the pooler',
      { connectionString: pgbouncerUrl, listen: { connectionString: databaseUrl } },
      true,
    ],
    [
      'when the other way is a pooler too',
      { connectionString: databaseUrl, listen: { connectionString: pgbouncerUrl } },
      false,
    ],
    ['when it was switched off', { connectionString: databaseUrl, listen: false }, false],
  ] as const)('is said truthfully: %s', async (_, options, push) => {
    const storage = opened({ ...options, schema: scratchSchema() })
    await storage.start()
    expect(storage.capabilities.push).toBe(push)
  })
})

describe('connections', () => {
  test('that the server ends are replaced, and the process lives', async () => {
    const schema = scratchSchema()
    const name = newSchema()
    const url = new URL(databaseUrl)
    url.searchParams.set('application_name', name)
    const storage = opened({ connectionString: url.href, schema })
    await storage.wakeups.watch([{ queue: 'mail' }], () => undefined)
    for (let round = 0; round < 5; round++) {
      await storage.jobs.create([job()])
      await storage.monitor.counts()
      const ended = await onServer((client) =>
        client.query('select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [name]),
      )
      expect(ended.rowCount).toBeGreaterThan(0)
      const next = job()
      await until(async () => {
        try {
          return ['created', 'exists'].includes((await storage.jobs.create([next]))[0]!.ok)
        } catch (error) {
          if (isQError(error, 'Q_AMBIGUOUS') || isQError(error, 'Q_STORAGE_UNAVAILABLE')) return false
          throw error
        }
      })
    }
    expect((await storage.monitor.counts()).byPhase.ready).toBe(10)
  })

  test('that the server ends in the same breath in which it accepts them are unavailable, and the process lives', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.end(Buffer.concat([welcome, goodbye])))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    cleanUps.push(async () => server.close())
    const { port } = server.address() as AddressInfo
    const storage = opened({ connectionString: `postgres://nobody@127.0.0.1:${port}/none`, listen: false })
    await expect(storage.monitor.counts()).rejects.toMatchObject({ code: 'Q_STORAGE_UNAVAILABLE' })
  })

  test('that stall in a commit are given up, and the pool heals', { timeout: 90_000 }, async () => {
    const schema = scratchSchema()
    const { hostname, port } = new URL(databaseUrl)
    const proxy = await TcpProxy.open({ host: hostname, port: Number(port || 5432) })
    cleanUps.push(() => proxy[Symbol.asyncDispose]())
    const through = new URL(databaseUrl)
    through.port = String(proxy.port)
    const storage = opened({ connectionString: through.href, schema, connections: 2, listen: false })
    await storage.start()
    const stalled = job()
    await storage.jobs.create([job()])
    proxy.blackHole()
    const calls = [storage.jobs.create([stalled]), storage.jobs.create([job()])]
    // Sent, it may have happened; never sent, because no connection could be made, it has not.
    const outcomes = await Promise.allSettled(calls)
    const codes = outcomes.map((outcome) =>
      outcome.status === 'rejected' ? (outcome.reason as QError).code : 'answered',
    )
    expect(codes.toSorted()).toEqual(['Q_AMBIGUOUS', 'Q_STORAGE_UNAVAILABLE'])
    proxy.heal()
    const again = await Promise.all([storage.jobs.create([stalled]), storage.jobs.create([job()])])
    expect(['created', 'exists']).toContain(again[0]?.[0]?.ok)
    expect(again[1]).toEqual([{ ok: 'created' }])
  })

  test('that cannot be made are unavailable, not ambiguous', async () => {
    const storage = opened('postgres://postgres@127.0.0.1:1/nowhere')
    await expect(storage.jobs.create([job()])).rejects.toSatisfy((error: unknown) =>
      isQError(error, 'Q_STORAGE_UNAVAILABLE'),
    )
  })
})

describe('jobs that ended together', () => {
  const result = (n: number): string => (n === 4 ? JSON.stringify('x'.repeat(1000)) : String(n))

  /** Five, of which the last has a long result. */
  async function ended(
    schema: string,
  ): Promise<{ storage: PostgresStorage; ids: string[]; rows: () => Promise<unknown> }> {
    const storage = opened({ connectionString: databaseUrl, schema })
    const ids = Array.from({ length: 5 }, () => job()).map(({ id }) => id)
    await storage.jobs.create(ids.map((id, n) => job({ id, name: `n${n % 2}` })))
    const session = await openSession(storage)
    const { claimed } = await claim(storage, session, 1)
    const apply = claimed.map(({ id, token }) => ({
      id,
      token,
      to: { name: 'succeeded', phase: 'succeeded', data: result(ids.indexOf(id)) } as const,
      ranMs: ids.indexOf(id),
    }))
    const { applied } = await storage.work.exchange({ session, call: 2, apply })
    expect(applied.map(({ ok }) => ok)).toEqual(ids.map(() => 'applied'))
    const rows = (): Promise<unknown> =>
      onServer(async (client) => {
        const q = quoted(schema)
        const { rows } = await client.query(
          `select (select array_agg(cardinality(ids)) from ${q}.batch) as batches, (select count(*)::int from ${q}.done) as done`,
        )
        return rows[0]
      })
    return { storage, ids, rows }
  }

  test('share a row and can be read one by one', async () => {
    const { storage, ids, rows } = await ended(scratchSchema())
    expect(await rows()).toEqual({ batches: [4], done: 1 })
    const views = await storage.monitor.get(ids)
    expect(views.map((view) => [view?.name, view?.state.phase, view?.ranMs, view?.state.data])).toEqual(
      ids.map((_, n) => [`n${n % 2}`, 'succeeded', n, result(n)]),
    )
    const { items } = await storage.monitor.list({ phase: ['succeeded'] }, { limit: 3, order: 'oldest' })
    expect(items.map(({ id }) => id)).toEqual(ids.slice(0, 3))
    expect((await storage.monitor.history(ids[1]!)).map(({ name }) => name)).toEqual([
      'enqueued',
      'processing',
      'succeeded',
    ])
    const others = await storage.monitor.get([job().id, `${ids[0]!.slice(0, 25)}${ids[0]!.endsWith('Z') ? 'Y' : 'Z'}`])
    expect(others).toEqual([null, null])
  })

  test('get rows of their own when one of them moves on', async () => {
    const { storage, ids, rows } = await ended(scratchSchema())
    const again = { from: ['succeeded'] as const, to: { name: 'enqueued', phase: 'ready' } as const }
    const both = await Promise.all([ids[2]!, ids[3]!].map((id) => storage.jobs.apply([{ ...again, id, command: id }])))
    expect(both.flat().map(({ ok }) => ok)).toEqual(['applied', 'applied'])
    expect(await rows()).toEqual({ batches: null, done: 3 })
    const phases = (await storage.monitor.get(ids)).map((view) => view?.state.phase)
    expect(phases).toEqual(['succeeded', 'succeeded', 'ready', 'ready', 'succeeded'])
    expect((await storage.monitor.history(ids[2]!)).map(({ name }) => name)).toEqual([
      'enqueued',
      'processing',
      'succeeded',
      'enqueued',
    ])
    expect((await storage.monitor.counts()).byPhase).toMatchObject({ succeeded: 3, ready: 2 })
  })

  test('are removed together when their time has come', async () => {
    const schema = scratchSchema()
    const { storage, ids } = await ended(schema)
    expect((await storage.upkeep.sweep(100)).removed).toBe(0)
    await onServer(async (client) => {
      const q = quoted(schema)
      await client.query(`update ${q}.batch set at = at - 86400000`)
      await client.query(`update ${q}.done set remove_at = remove_at - 86400000`)
    })
    expect((await storage.upkeep.sweep(100)).removed).toBe(5)
    expect(await storage.monitor.get(ids)).toEqual(ids.map(() => null))
    expect((await storage.monitor.counts()).byPhase.succeeded).toBe(0)
  })
})

describe('while an old snapshot is held', () => {
  test('claims do not walk past what is gone, and keep to the order', async () => {
    // Fresh: in one that was used before, jobs may have come back to their places already.
    const schema = scratchSchema(newSchema())
    const storage = opened({ connectionString: databaseUrl, schema })
    const list = (count: number): NewJob[] => Array.from({ length: count }, () => job())
    await storage.jobs.create(list(20))
    const old = new pg.Client({ connectionString: databaseUrl })
    const slow = new pg.Client({ connectionString: databaseUrl })
    await Promise.all([old.connect(), slow.connect()])
    cleanUps.push(() => Promise.all([old.end(), slow.end()]))
    await old.query('begin isolation level repeatable read; select 1')

    await storage.jobs.create(list(1000))
    await storage.jobs.create(list(800))
    await slow.query('begin')
    const [early, late, urgent] = [job(), job(), job({ priority: 1 })]
    await storage.jobs.within(slow).create([early])
    await storage.jobs.create(list(900))
    const session = await openSession(storage)
    let call = 0
    const next = async () => (await claim(storage, session, ++call)).claimed
    const from = (): Promise<Readonly<Record<string, unknown>> | null> =>
      onServer(
        async (client) =>
          (await client.query(`select skip->'from' as from from ${quoted(schema)}.session`)).rows[0]?.from ?? null,
      )

    for (let n = 0; n < 20; n++) expect(await next()).toHaveLength(100)
    // It took its place before others that have been claimed, and nobody has seen it yet.
    await slow.query('commit')
    await storage.jobs.create([late])
    const seen = await next()
    expect(seen[0]?.id).toBe(early.id)
    // Nobody takes an earlier place any more, so claims start further and further on.
    await until(async () => Object.keys((await from()) ?? {}).length > 0 || (await next()).length === 0)
    expect(Object.values((await from()) ?? {})).toEqual([[100, expect.any(Number)]])

    const { claimed } = await storage.work.exchange({
      session,
      call: ++call,
      apply: [{ id: seen[1]!.id, token: seen[1]!.token, to: { name: 'enqueued', phase: 'ready' }, attempt: 'undo' }],
      claim: { max: 1, queues: [{ name: 'mail' }], state: { name: 'processing', phase: 'active' } },
    })
    expect(claimed.map(({ id }) => id)).toEqual([seen[1]!.id])
    await storage.jobs.create([urgent])
    expect((await next())[0]?.id).toBe(urgent.id)
    const rest: string[] = []
    for (;;) {
      const more = await next()
      if (more.length === 0) break
      rest.push(...more.map(({ id }) => id))
    }
    expect(rest.at(-1)).toBe(late.id)
    expect(call).toBeLessThan(45)
    expect((await storage.monitor.counts()).byPhase).toMatchObject({ ready: 0, active: 2723 })
  })
})

describe('with many jobs', () => {
  test('hot statements and pages read indexes and never a whole table', { timeout: 120_000 }, async () => {
    const schema = scratchSchema(newSchema())
    const storage = opened({ connectionString: databaseUrl, schema, connections: 1 })
    const session = await openSession(storage)
    let call = 0
    const run = async (count: number): Promise<void> => {
      await storage.jobs.create(Array.from({ length: count }, () => job()))
      const { claimed } = await claim(storage, session, ++call, count)
      expect(claimed).toHaveLength(count)
      const to = { name: 'succeeded', phase: 'succeeded' } as const
      const apply = claimed.map(({ id, token }) => ({ id, token, to }))
      const { applied } = await storage.work.exchange({ session, call: ++call, apply })
      expect(applied.every(({ ok }) => ok === 'applied')).toBe(true)
    }
    // Whatever is planned now, while there is nothing, has to hold for what comes.
    await run(20)
    const q = quoted(schema)
    await onServer(async (client) => {
      await client.query(`insert into ${q}.job (id, created_at, queue, name, version, priority, payload)
        select md5(kind || g)::uuid, g, 1, 1, 1, 100, '{}' from generate_series(1, 100000) g, unnest(array['', 'd']) kind`)
      await client.query(`insert into ${q}.pending (id, seq, at, queue, name, priority, attempt, crashes, n, flags, phase)
        select md5(g::text)::uuid, g, g, 1, 1, 100, 0, 0, 1, 0, 2 from generate_series(1, 100000) g`)
      await client.query(`insert into ${q}.lease (id, call, seq, ready_at, at, session, queue, name, priority, attempt, crashes, n, flags, claim_state)
        select md5('l' || g)::uuid, 1, g, g, g, 0, 1, 1, 100, 1, 0, 2, 0, 1 from generate_series(1, 20000) g`)
      await client.query(`insert into ${q}.done (id, at, queue, name, priority, attempt, crashes, n, flags, phase, error)
        select md5('d' || g)::uuid, g, 1, 1, 100, 1, 0, 3, 0, 6, 'e' from generate_series(1, 100000) g`)
      const record = `{"name":"failed","phase":6,"n":3,"at":1,"attempt":1,"by":""}`
      await client.query(`insert into ${q}.history (id, n, records) select id, n, '[${record}]' from ${q}.done`)
    })
    const reads = async (): Promise<number> => {
      // Counters reach the view when their backend reports them.
      await pause(1_200)
      return onServer(async (client) => {
        const { rows } = await client.query<{ n: string }>(
          `select (select sum(seq_tup_read) from pg_stat_user_tables where schemaname = $1)
            + (select sum(idx_tup_read) from pg_stat_user_indexes where schemaname = $1) as n`,
          [schema],
        )
        return Number(rows[0]!.n)
      })
    }
    const before = await reads()
    for (let round = 0; round < 10; round++) await run(20)
    const failed = await storage.monitor.list({ phase: ['failed'] }, { limit: 20 })
    expect(failed.items).toHaveLength(20)
    const first = await storage.monitor.list({ phase: ['ready'] }, { limit: 20 })
    expect(first.items).toHaveLength(20)
    const second = await storage.monitor.list({ phase: ['ready'] }, { limit: 20, cursor: first.next })
    expect(second.items).toHaveLength(20)
    await storage.monitor.list({ queue: ['mail'] }, { limit: 20, order: 'claim' })
    await storage.monitor.get(first.items.map(({ id }) => id))
    await storage.upkeep.promote(100)
    expect((await reads()) - before).toBeLessThan(10_000)
  })
})
