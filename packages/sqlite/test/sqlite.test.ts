import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type SqliteOptions, type SqliteStorage, openUrl, sqliteStorage } from '@q/sqlite'
import { openChild } from '@q/testkit'
import { whyTooOld } from '../src/connection.ts'
import { releasePlain, finishPlain } from '../src/statements/apply.ts'
import { dropTaken, leaseTaken, pickReady } from '../src/statements/claim.ts'
import { addJob, addReadies, lastOfSpan } from '../src/statements/create.ts'
import { addReady, addRest, dueOf, findDone, findJob, findLease, findMore, findReady } from '../src/statements/job.ts'
import { claimOrder, newest, oldest, viewActive, viewDone, viewRare, viewReady } from '../src/statements/views.ts'
import { createTables } from '../src/migrations/0001-create-tables.ts'
import { tablesOf } from '../src/tables.ts'
import { asking, drain, growing, job, jobs, newId, succeeded } from './jobs.ts'
import { scratchFolder } from './scratch.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

let folder: Awaited<ReturnType<typeof scratchFolder>>
let path: string
let opened: SqliteStorage[]

beforeEach(async () => {
  folder = await scratchFolder()
  path = join(folder.path, 'jobs.db')
  opened = []
})

afterEach(async () => {
  for (const storage of opened) await storage.close()
  await folder.dispose()
})

function open(options: SqliteOptions = { path }): SqliteStorage {
  const storage = sqliteStorage(options)
  opened.push(storage)
  return storage
}

const child = { module: new URL('./open-in-child.ts', import.meta.url), argument: '' }

/** Asks again until it is so; fails when it never becomes so. */
async function until(what: string, probe: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`did not happen: ${what}`)
    await pause(5)
  }
}

/** Every job that waits, page by page. */
async function pages(storage: SqliteStorage, order: 'newest' | 'oldest' | 'claim'): Promise<string[]> {
  const ids: string[] = []
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await storage.monitor.list({ phase: ['ready'] }, { limit: 70, order, cursor })
    ids.push(...page.items.map(({ id }) => id))
    cursor = page.next
  }
  return ids
}

function countIn(database: Database.Database, table: string): number {
  return database.prepare<[], { n: number }>(`select count(*) as n from ${table}`).get()!.n
}

describe('several processes on one file', () => {
  test('share the work without a job run twice or an error shown', async () => {
    const storage = open()
    const made = jobs(600)
    await storage.jobs.create(made)
    const others = await Promise.all([1, 2, 3].map(() => openChild({ ...child, argument: path })))
    try {
      const creating = others.map(async (other, index) => {
        const own = jobs(60)
        for (const one of own) await other.storage.jobs.create([one])
        return { own, ran: await drain(other.storage, `child-${index}`) }
      })
      const mine = drain(storage, 'parent')
      const theirs = await Promise.all(creating)
      const ran = [...(await mine), ...theirs.flatMap((one) => one.ran)]
      ran.push(...(await drain(storage, 'last')))
      const all = [...made, ...theirs.flatMap((one) => one.own)].map(({ id }) => id)
      expect(ran.toSorted()).toEqual(all.toSorted())
    } finally {
      for (const other of others) await other[Symbol.asyncDispose]()
    }
  })

  test('start at once on a file that is not there yet, also when one of them is killed on the way', async () => {
    const others = await Promise.all(Array.from({ length: 5 }, () => openChild({ ...child, argument: path })))
    try {
      const starting = others.map((other) => other.storage.start())
      const settled = Promise.allSettled(starting)
      await others[0]!.kill()
      const [, ...living] = await settled
      expect(living.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled'])
      const storage = open()
      expect(await storage.jobs.create([job()])).toEqual([{ ok: 'created' }])
      const tables = new Database(path, { readonly: true })
      expect(countIn(tables, 'q_queue')).toBe(2)
      tables.close()
    } finally {
      for (const other of others) await other[Symbol.asyncDispose]()
    }
  })

  test('one that is killed while it commits loses nothing it was told is stored', async () => {
    const storage = open()
    await storage.start()
    const victim = await openChild({ ...child, argument: path })
    const acknowledged: string[] = []
    try {
      const creating = (async () => {
        for (;;) {
          const batch = jobs(10)
          await victim.storage.jobs.create(batch)
          acknowledged.push(...batch.map(({ id }) => id))
        }
      })().catch((error: unknown) => error)
      await until('some batches are stored', () => acknowledged.length >= 200)
      await victim.kill()
      await creating
    } finally {
      await victim[Symbol.asyncDispose]()
    }
    const outcomes = await storage.jobs.create(acknowledged.slice(0, 1000).map((id) => job({ id })))
    expect(new Set(outcomes.map(({ ok }) => ok))).toEqual(new Set(['exists']))
    const counts = await storage.monitor.counts()
    expect((await drain(storage, 'after')).length).toBe(counts.byPhase.ready)
    await storage.close()
    const database = new Database(path)
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok')
    database.close()
  })

  test('a write lock of another connection is waited for while the event loop goes on', async () => {
    const storage = open()
    await storage.start()
    const other = new Database(path)
    other.exec('begin immediate')
    let turns = 0
    const timer = setInterval(() => turns++, 5)
    const creating = storage.jobs.create([job()])
    await until('the loop has turned', () => turns >= 20)
    other.exec('commit')
    other.close()
    expect(await creating).toEqual([{ ok: 'created' }])
    clearInterval(timer)
  })

  test('what waits for ever for the lock is unavailable, and certainly not stored', async () => {
    const storage = open()
    await storage.start()
    const other = new Database(path)
    other.exec('begin immediate')
    const made = job()
    await expect(storage.jobs.create([made])).rejects.toMatchObject({ code: 'Q_STORAGE_UNAVAILABLE' })
    expect(() => storage.jobs.createSync([made])).toThrow(expect.objectContaining({ code: 'Q_STORAGE_UNAVAILABLE' }))
    other.exec('rollback')
    other.close()
    expect(await storage.jobs.create([made])).toEqual([{ ok: 'created' }])
  })

  test('a reader that never ends stops nobody, and the log shrinks when it is gone', async () => {
    const storage = open()
    await storage.start()
    const reader = new Database(path, { readonly: true })
    reader.exec('begin')
    countIn(reader, 'q_job')
    const made = jobs(1000, { payload: 'x'.repeat(2000) })
    for (let round = 0; round < 6; round++) await storage.jobs.create(made.map((one) => ({ ...one, id: newId() })))
    expect((await drain(storage, 'writer')).length).toBe(6000)
    expect(countIn(reader, 'q_job')).toBe(0)
    reader.exec('commit')
    reader.close()
    const walBytes = async (): Promise<number> => (await stat(`${path}-wal`)).size
    const before = await walBytes()
    await until('the log is used again from its start', async () => {
      await storage.jobs.create([job()])
      await pause(300)
      return (await walBytes()) <= Math.min(before, 64 * 1024 * 1024)
    })
  })
})

test('what is no longer watched is forgotten, also while something else is', async () => {
  const storage = open()
  const forgotten = async (): Promise<number> => {
    for (let n = 0; n < 6_000; n++) await (await storage.wakeups.watch([{ job: newId() }], () => undefined)).close()
    collectGarbage()
    return process.memoryUsage().heapUsed
  }
  await storage.wakeups.watch([{ queue: 'default' }], () => undefined)
  const before = await forgotten()
  // Each would take more than a hundred bytes.
  expect((await forgotten()) - before).toBeLessThan(300_000)
})

describe('inside the caller’s transaction', () => {
  test('jobs are there when it commits, and were never there when it rolls back', async () => {
    const database = new Database(path)
    database.exec('create table orders (id text)')
    const storage = open({ database })
    const [kept, dropped, undone] = [job(), job(), job()]
    const order = database.transaction((id: string, made: ReturnType<typeof job>, fails: boolean) => {
      database.prepare('insert into orders values (?)').run(id)
      expect(storage.jobs.createSync([made])).toEqual([{ ok: 'created' }])
      if (fails) throw new Error('no')
    })
    order('one', kept, false)
    expect(() => order('two', dropped, true)).toThrow('no')
    database.exec('begin')
    expect(await storage.jobs.within(database).create([undone])).toEqual([{ ok: 'created' }])
    database.exec('rollback')
    expect(countIn(database, 'orders')).toBe(1)
    const views = await storage.monitor.get([kept.id, dropped.id, undone.id])
    expect(views.map((view) => view?.state.phase ?? null)).toEqual(['ready', null, null])
    expect(await drain(storage, 'server')).toEqual([kept.id])
    expect((await storage.monitor.counts()).byPhase.ready).toBe(0)
    await storage.close()
    expect(database.open).toBe(true)
    database.close()
  })

  test('names and counters of a rolled back transaction are not remembered', async () => {
    const database = new Database(path)
    const storage = open({ database })
    await storage.start()
    database.exec('begin')
    storage.jobs.createSync(jobs(3, { queue: 'new', name: 'never seen' }))
    database.exec('rollback')
    const [made] = jobs(1, { queue: 'mail', name: 'never seen' })
    storage.jobs.createSync([made!])
    expect((await storage.monitor.counts()).byQueue).toEqual({ mail: expect.objectContaining({ ready: 1 }) })
    expect((await storage.monitor.get([made!.id]))[0]?.name).toBe('never seen')
    await storage.close()
    database.close()
  })

  test('a database without a transaction, and what is no database, are refused', async () => {
    const database = new Database(path)
    const storage = open()
    await expect(storage.jobs.within(database).create([job()])).rejects.toMatchObject({ code: 'Q_OPTION_INVALID' })
    await expect(storage.jobs.within({} as Database.Database).create([job()])).rejects.toMatchObject({
      code: 'Q_OPTION_INVALID',
    })
    database.close()
  })

  test('a database in memory that we are given is used, and stays open', async () => {
    const database = new Database(':memory:')
    const storage = open({ database })
    await storage.jobs.create(jobs(3))
    expect(countIn(database, 'q_job')).toBe(3)
    expect((await drain(storage, 'server')).length).toBe(3)
    await storage.close()
    expect(database.open).toBe(true)
    database.close()
  })
})

describe('a file that cannot be used', () => {
  test('a full disk refuses clearly, loses nothing, and work goes on when there is room', async () => {
    const database = new Database(':memory:')
    const storage = open({ database })
    await storage.jobs.create(jobs(20))
    const pages = database.pragma('page_count', { simple: true }) as number
    database.pragma(`max_page_count = ${pages + 4}`)
    const big = jobs(50, { payload: 'x'.repeat(4000) })
    await expect(storage.jobs.create(big)).rejects.toMatchObject({
      code: 'Q_STORAGE_UNAVAILABLE',
      message: expect.stringContaining('No space'),
    })
    expect((await storage.monitor.counts()).byPhase.ready).toBe(20)
    database.pragma('max_page_count = 100000')
    expect(new Set((await storage.jobs.create(big)).map(({ ok }) => ok))).toEqual(new Set(['created']))
    expect((await drain(storage, 'server')).length).toBe(70)
    await storage.close()
    database.close()
  })

  test('one call that SQLite refuses does not take its neighbours with it', async () => {
    const database = new Database(':memory:')
    const storage = open({ database })
    await storage.start()
    // What no caller can do by mistake: a row of ours that is in the way.
    const poison = job()
    await storage.jobs.create([job()])
    database.exec(
      `create trigger poison before insert on q_job when new.id = '${poison.id}' begin select raise(abort, 'poison'); end`,
    )
    const [before, bad, after] = await Promise.allSettled([
      storage.jobs.create([job()]),
      storage.jobs.create([poison]),
      storage.jobs.create([job()]),
    ])
    expect([before.status, bad.status, after.status]).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect((await storage.monitor.counts()).byPhase.ready).toBe(3)
    await storage.close()
    database.close()
  })

  test('a file without write access says so', async () => {
    await open().start()
    await opened[0]!.close()
    await chmod(path, 0o444)
    await chmod(folder.path, 0o555)
    const said = await openAsNobody(path)
    await chmod(folder.path, 0o755)
    expect(said).toMatchObject({ opened: false, code: 'Q_STORAGE_UNAVAILABLE' })
    expect(said.message).toMatch(/cannot be (written|opened)/)
  })

  test('a folder that is not there says so', async () => {
    await expect(open({ path: join(folder.path, 'nowhere', 'jobs.db') }).start()).rejects.toMatchObject({
      code: 'Q_STORAGE_UNAVAILABLE',
      message: expect.stringContaining('folder'),
    })
  })

  test('something that is no database is left alone', async () => {
    await writeFile(path, 'Dear diary, '.repeat(1000))
    await expect(open().start()).rejects.toMatchObject({
      code: 'Q_STORAGE_UNAVAILABLE',
      message: expect.stringContaining('not a SQLite database'),
    })
    expect(await readFile(path, 'utf8')).toBe('Dear diary, '.repeat(1000))
  })

  test('a damaged file says so', async () => {
    const storage = open()
    await storage.jobs.create(jobs(500, { payload: 'x'.repeat(500) }))
    await storage.close()
    const bytes = await readFile(path)
    bytes.fill(0xff, 4096, bytes.length)
    await writeFile(path, bytes)
    await expect(
      (async () => {
        const damaged = open()
        await damaged.jobs.create(jobs(100))
      })(),
    ).rejects.toMatchObject({ code: 'Q_STORAGE_UNAVAILABLE', message: expect.stringContaining('damaged') })
  })

  test('tables of somebody else under our names are left alone; a namespace goes beside them', async () => {
    const database = new Database(path)
    database.exec("create table q_job (mine text); insert into q_job values ('precious'); create table users (id text)")
    await expect(open().start()).rejects.toMatchObject({
      code: 'Q_STORAGE_UNAVAILABLE',
      message: expect.stringContaining('q_job'),
    })
    expect(database.prepare('select * from q_job').all()).toEqual([{ mine: 'precious' }])
    const beside = open({ path, namespace: 'jobs' })
    expect(await beside.jobs.create([job()])).toEqual([{ ok: 'created' }])
    expect(countIn(database, 'q_jobs_job')).toBe(1)
    database.close()
  })

  test('a file of a later version is refused, and not changed', async () => {
    await open().start()
    await opened[0]!.close()
    const database = new Database(path)
    database.exec("update q_meta set value = 99 where key = 'q.schema'")
    database.close()
    await expect(open().start()).rejects.toMatchObject({
      code: 'Q_STORAGE_UNAVAILABLE',
      message: expect.stringContaining('later version'),
    })
  })

  test('a file of the first version keeps its jobs in their order', async () => {
    const [first, second, rare, running] = growing(4)
    const database = new Database(path)
    for (const sql of createTables(tablesOf(undefined))) database.exec(sql)
    database.exec(`create table q_meta (key text primary key, value) without rowid;
      insert into q_meta values ('q.schema', 1);
      insert into q_word values (1, 'job', 'send'), (2, 'state', 'enqueued'), (3, 'state', 'processing');
      insert into q_queue (n, name, ready, active) values (1, 'mail', 3, 1);
      update q_queue set seq = 5 where n = 0;
      insert into q_session values (1, 'other', 'other', 60000, '{}', 1000, 1000, null, 1, 0, null)`)
    const places = [second, running, rare, first]
    const addOld = database.prepare("insert into q_job values (?, 1, 1, 1, 100, ?, 1000, 2, 'ada', null, null, '{}')")
    for (const [at, place] of places.entries()) addOld.run(place!.id, at + 1)
    const wait = database.prepare('insert into q_ready values (1, 100, ?, ?, 1000, 1, ?, 0)')
    wait.run(1, second!.id, 0)
    wait.run(4, first!.id, 0)
    wait.run(5, rare!.id, 1)
    database.prepare('insert into q_lease values (1, ?, 1, 1, 1, 100, 2, 2000, 1000, 3, 0, 0, 0)').run(running!.id)
    database
      .prepare(`insert into q_more (id, phase, at, queue, priority, seq, n, state, by, attempt, crashes, ready_at, rest)
        values (?, 2, 3000, 1, 100, 5, 2, 'enqueued', 'bob', 0, 0, 3000, '{}')`)
      .run(rare!.id)
    database.close()
    const storage = open()
    const listed = await storage.monitor.list({}, { limit: 10, order: 'oldest' })
    expect(listed.items.map(({ id }) => id)).toEqual([first!.id, second!.id, running!.id, rare!.id])
    expect(await storage.jobs.create([first!])).toEqual([{ ok: 'exists' }])
    const late = job()
    await storage.jobs.create([late])
    expect(await drain(storage, 'server')).toEqual([second!.id, first!.id, rare!.id, late.id])
    expect(await storage.monitor.get([running!.id])).toMatchObject([{ state: { phase: 'active', by: 'other' } }])
  })

  test.each(['a"; drop table users; --', 'Jobs', 'a b', '1a', '', 'ä', "x'", 'a'.repeat(49), 'a\0b'])(
    'the namespace %j is refused before anything is opened',
    (namespace) => {
      expect(() => sqliteStorage({ path, namespace })).toThrow(expect.objectContaining({ code: 'Q_OPTION_INVALID' }))
    },
  )

  test.each([{}, { path: '' }, { path: 'sqlite:app.db' }, { path: 'file:app.db' }, { database: {} }])(
    'the options %j are refused',
    (options) => {
      expect(() => sqliteStorage(options as SqliteOptions)).toThrow(
        expect.objectContaining({ code: 'Q_OPTION_INVALID' }),
      )
    },
  )

  test('a Node that cannot carry the driver is told so before it is loaded', () => {
    expect(whyTooOld('9')).toContain('Node-API 10')
    expect(whyTooOld(undefined)).toContain('none')
    expect(whyTooOld('10')).toBeNull()
    expect(whyTooOld(process.versions['napi'])).toBeNull()
  })
})

describe('what a call costs', () => {
  const tables = tablesOf(undefined)
  const plan = (sql: string): string => {
    const database = new Database(path, { readonly: true })
    const text = sql.includes('?') ? sql : `${sql}`
    const marks = [...text.matchAll(/\?/g)].map(() => null)
    const rows = database.prepare<unknown[], { detail: string }>(`explain query plan ${text}`).all(...marks)
    database.close()
    return rows.map(({ detail }) => detail).join('\n')
  }

  test.each(
    Object.entries({
      findJob,
      findMore,
      findDone,
      findLease,
      addJob,
      addReady,
      addReadies,
      addRest,
      findReady,
      lastOfSpan,
      pickReady,
      leaseTaken,
      dropTaken,
      releasePlain,
      finishPlain,
      dueOf,
    }),
  )('%s reads by a key and sorts nothing', async (_, { sql }) => {
    await open().start()
    const found = plan(sql(tables))
    expect(found).not.toMatch(/SCAN|TEMP B-TREE/)
  })

  test.each(
    Object.entries({
      'newest ready': newest.ready,
      'oldest ready': oldest.ready,
      'newest spans': newest.span,
      'oldest spans': oldest.span,
      'ready in the order of claims': claimOrder,
      'newest ended': newest.done,
      'oldest ended': oldest.done,
      'newest rare': newest.rare,
      'oldest rare': oldest.rare,
      'newest with an error': newest.doneByError,
      'rare ones with an error': newest.rareByError,
      'a rare job': viewRare,
      'an ended job': viewDone,
      'a ready job': viewReady,
      'a running job': viewActive,
    }),
  )('a page of %s follows an index', async (_, { sql }) => {
    await open().start()
    const found = plan(sql(tables))
    expect(found.replace(/SCAN q_session[^\n]*/g, '')).not.toMatch(/SCAN|TEMP B-TREE/)
  })

  test('a narrow list finds its few jobs among many, page by page, and says how far it looked', async () => {
    const storage = open()
    for (let round = 0; round < 12; round++) await storage.jobs.create(jobs(1000, { name: 'noise' }))
    const wanted = jobs(5, { name: 'signal', queue: 'rare', tags: ['red'], state: { name: 'special', phase: 'ready' } })
    await storage.jobs.create(wanted)
    for (let round = 0; round < 12; round++) await storage.jobs.create(jobs(1000, { name: 'noise' }))
    const queries = [{ name: ['signal'] }, { queue: ['rare'] }, { state: ['special'] }, { tag: ['red'] }]
    for (const query of queries) {
      for (const order of ['newest', 'oldest'] as const) {
        const found: string[] = []
        let pages = 0
        for (let cursor: string | undefined, more = true; more; pages++) {
          const page = await storage.monitor.list({ ...query, phase: ['ready'] }, { limit: 2, order, cursor })
          expect(page.items.length).toBeLessThanOrEqual(2)
          expect(page.searched?.complete ?? false).toBe(false)
          found.push(...page.items.map(({ id }) => id))
          cursor = page.next
          more = cursor !== undefined
        }
        expect(found.toSorted()).toEqual(wanted.map(({ id }) => id).toSorted())
        expect(pages).toBeLessThan(10)
      }
    }
    expect(await storage.monitor.count({ name: ['signal'] }, 10_000)).toEqual({ value: 5, exact: true })
    expect(await storage.monitor.count({ name: ['signal'] }, 100)).toMatchObject({ exact: false })
  })

  test('jobs of one list share a row among the ready ones, until one of them is taken out', async () => {
    const storage = open()
    const [first, ...list] = growing(1001)
    await storage.jobs.create([first!])
    await storage.jobs.create(list)
    const database = new Database(path, { readonly: true })
    expect(countIn(database, 'q_ready')).toBe(2)
    const gone = list[500]!
    const change = { id: gone.id, from: ['ready' as const], to: { name: 'deleted', phase: 'deleted' as const } }
    expect(await storage.jobs.apply([change])).toMatchObject([{ ok: 'applied' }])
    expect(countIn(database, 'q_ready')).toBe(3)
    const left = list.filter(({ id }) => id !== gone.id).map(({ id }) => id)
    expect(await pages(storage, 'oldest')).toEqual([first!.id, ...left])
    expect(await pages(storage, 'newest')).toEqual([first!.id, ...left].toReversed())
    expect(await pages(storage, 'claim')).toEqual([first!.id, ...left])
    expect(await storage.monitor.standing(list[900]!.id)).toMatchObject({ ahead: { value: 900, exact: true } })
    expect(await drain(storage, 'server')).toEqual([first!.id, ...left])
    expect(countIn(database, 'q_ready')).toBe(0)
    database.close()
  })

  test('lists whose ids lie between each other are listed by their ids and run in their order', async () => {
    const storage = open()
    const ids = growing(120)
    const even = ids.filter((_, at) => at % 2 === 0)
    const odd = ids.filter((_, at) => at % 2 === 1)
    const other = jobs(40, { priority: 7 })
    // One call, so that all are ready at the same instant.
    await storage.jobs.create([...even, ...other, ...odd])
    const sorted = [...ids, ...other].map(({ id }) => id).toSorted()
    expect(await pages(storage, 'oldest')).toEqual(sorted)
    expect(await pages(storage, 'newest')).toEqual(sorted.toReversed())
    expect(await drain(storage, 'server')).toEqual([...other, ...even, ...odd].map(({ id }) => id))
  })

  test('of a list that was stored in part only the rest is stored', async () => {
    const storage = open()
    const list = growing(90)
    await storage.jobs.create([list[30]!, list[77]!])
    const outcomes = await storage.jobs.create(list)
    expect(outcomes.flatMap(({ ok }, at) => (ok === 'exists' ? [at] : []))).toEqual([30, 77])
    expect(await storage.jobs.create(list)).toEqual(list.map(() => ({ ok: 'exists' })))
    const rest = list.filter((_, at) => at !== 30 && at !== 77)
    expect(await drain(storage, 'server')).toEqual([list[30]!, list[77]!, ...rest].map(({ id }) => id))
    expect((await storage.monitor.counts()).byPhase).toMatchObject({ ready: 0, succeeded: 90 })
  })

  test('a job that is run once writes no row that only rare jobs have', async () => {
    const storage = open()
    await storage.jobs.create(jobs(10))
    await drain(storage, 'server')
    const database = new Database(path, { readonly: true })
    const rows = ['q_more', 'q_history', 'q_due', 'q_edge', 'q_uniq', 'q_gate', 'q_lease', 'q_ready', 'q_signal']
    expect(rows.map((table) => countIn(database, table))).toEqual(rows.map(() => 0))
    expect([countIn(database, 'q_job'), countIn(database, 'q_done')]).toEqual([10, 10])
    database.close()
  })

  test('its history is whole all the same', async () => {
    const storage = open()
    const made = job({ by: 'ada' })
    await storage.jobs.create([made])
    await drain(storage, 'server')
    const history = await storage.monitor.history(made.id)
    expect(history.map(({ n, name, by, attempt }) => [n, name, by, attempt])).toEqual([
      [1, 'enqueued', 'ada', 0],
      [2, 'processing', 'server', 1],
      [3, 'succeeded', 'server', 1],
    ])
  })

  test('what retention removes gives its space back', async () => {
    const storage = open()
    const keep = { succeeded: 0 }
    for (let round = 0; round < 4; round++) await storage.jobs.create(jobs(500, { payload: 'x'.repeat(3000), keep }))
    await drain(storage, 'server')
    const database = new Database(path, { readonly: true })
    const pages = (): number => database.pragma('page_count', { simple: true }) as number
    const before = pages()
    await until('all are removed', async () => !(await storage.upkeep.sweep(500)).again)
    await until('the space is back', async () => {
      await storage.upkeep.sweep(500)
      return pages() < before / 4
    })
    expect(countIn(database, 'q_job')).toBe(0)
    database.close()
  })
})

describe('a pacemaker', () => {
  test('keeps a session alive while the event loop is stopped, and lets it go when nothing ticks any more', async () => {
    const storage = open()
    await storage.jobs.create([job()])
    const ttl = 400
    const session = newId()
    await storage.work.open({ id: session, server: 'busy', ttl, info: '{}' })
    const { claimed } = await storage.work.exchange({ session, call: 1, apply: [], claim: asking(1) })
    const pacemaker = storage.work.pacemaker!(session, { ttl, maxStall: 3 * ttl })
    const seenAt = async (): Promise<number> => (await storage.monitor.sessions())[0]!.seenAt
    const first = await seenAt()
    await until('it beats', async () => (await seenAt()) > first)
    // The whole loop stands still for longer than a session may be silent.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * ttl)
    pacemaker.tick()
    expect(await storage.upkeep.recover(10)).toMatchObject({ jobs: [], sessions: [] })
    const [done] = (
      await storage.work.exchange({
        session,
        call: 2,
        apply: [{ id: claimed[0]!.id, token: claimed[0]!.token, to: succeeded }],
      })
    ).applied
    expect(done).toEqual({ ok: 'applied', released: 0 })
    await until('it is given up when nothing ticks', async () => {
      return (await storage.upkeep.recover(10)).sessions.includes(session)
    })
    await pacemaker.close()
  })

  test('leaves a session alone whose own calls renew it', async () => {
    const storage = open()
    const ttl = 400
    const [renewing, stuck] = [newId(), newId()]
    const pacemakers = []
    for (const id of [renewing, stuck]) {
      await storage.work.open({ id, server: 'busy', ttl, info: '{}' })
      pacemakers.push(storage.work.pacemaker!(id, { ttl, maxStall: 60_000 }))
    }
    // It was renewed by calls for the hour to come, as far as the thread can see.
    pacemakers[0]!.tick(-3_600_000)
    const renewedFor = async (wanted: string): Promise<number> => {
      const { openedAt, seenAt } = (await storage.monitor.sessions()).find(({ id }) => id === wanted)!
      return seenAt - openedAt
    }
    await until('the other one is renewed', async () => (await renewedFor(stuck)) > ttl)
    expect(await renewedFor(renewing)).toBe(0)
    for (const pacemaker of pacemakers) await pacemaker.close()
  })
})

test('every commit waits for the disk when that is asked for, and the class says so', async () => {
  expect(openUrl(`sqlite:${path}`).capabilities.durability).toBe('process')
  expect(sqliteStorage(':memory:').capabilities.durability).toBe('none')
  const storage = open({ path, durable: true })
  expect(storage.capabilities.durability).toBe('synced')
  expect(await storage.jobs.create([job()])).toEqual([{ ok: 'created' }])
})

test('many calls at once share a commit, and each gets its own answer', async () => {
  const storage = open()
  await storage.start()
  const watch = new Database(path, { readonly: true })
  const version = (): number => watch.pragma('data_version', { simple: true }) as number
  const before = version()
  const outcomes = await Promise.all(jobs(100).map((one) => storage.jobs.create([one])))
  expect(outcomes.every(([outcome]) => outcome?.ok === 'created')).toBe(true)
  expect((await storage.monitor.counts()).byPhase.ready).toBe(100)
  const [frames] = watch.pragma('wal_checkpoint(noop)') as { log: number }[]
  expect(version()).not.toBe(before)
  // A commit of its own for each would have written hundreds of pages.
  expect(frames!.log).toBeLessThan(200)
  watch.close()
})

async function openAsNobody(file: string): Promise<{ opened: boolean; code?: string; message?: string }> {
  const program = fileURLToPath(new URL('./open-and-say.ts', import.meta.url))
  const identity = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  const args = ['--conditions=@q/source', '--disable-warning=ExperimentalWarning', program, file]
  const process_ = spawn(process.execPath, args, { ...identity, stdio: ['ignore', 'pipe', 'inherit'] })
  const chunks: Buffer[] = []
  process_.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(process_, 'close')
  return JSON.parse(Buffer.concat(chunks).toString()) as { opened: boolean; code?: string; message?: string }
}
