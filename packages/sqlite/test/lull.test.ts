import Database from 'better-sqlite3'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Claim, JobStorage } from '@q/core/storage'
import { sqliteStorage } from '@q/sqlite'
import { asking, job, newId } from './jobs.ts'
import { scratchFolder } from './scratch.ts'

/** Everything that is sent to SQLite. */
const sent: string[] = []
const unpatch: (() => void)[] = []

function listen<Room extends object>(
  room: Room,
  method: keyof Room,
  textOf: (self: unknown, first: unknown) => string,
): void {
  const real = room[method] as (...args: unknown[]) => unknown
  room[method] = function (this: unknown, ...args: unknown[]) {
    sent.push(textOf(this, args[0]))
    return Reflect.apply(real, this, args)
  } as Room[keyof Room]
  unpatch.push(() => (room[method] = real as Room[keyof Room]))
}

/** What calls have sent, but for the look at whether others have written. The log is written back in its own time. */
function statements(): string[] {
  return sent.splice(0).filter((text) => !/data_version|wal_checkpoint/.test(text))
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let n = 0; n < 1000; n++) {
    if (await isSo()) return
    await pause(10)
  }
  throw new Error('it never became so')
}

const closers: (() => Promise<void>)[] = []
let path: string

beforeEach(async () => {
  const folder = await scratchFolder()
  path = join(folder.path, 'jobs.db')
  closers.push(folder.dispose)
  const memory = new Database(':memory:')
  const statement = Object.getPrototypeOf(memory.prepare('select 1')) as Database.Statement
  for (const method of ['run', 'get', 'all'] as const)
    listen(statement, method, (self) => (self as Database.Statement).source)
  listen(Database.prototype, 'exec', (_, text) => String(text))
  memory.close()
})
afterEach(async () => {
  for (const restore of unpatch.splice(0).toReversed()) restore()
  for (const close of closers.splice(0).toReversed()) await close()
})

function open(): JobStorage {
  const storage = sqliteStorage(path)
  closers.push(() => storage.close())
  return storage
}

/** What an idle server calls. */
class Idle {
  readonly storage: JobStorage
  readonly session = newId()
  readonly claim: Claim = asking(10)
  #call = 0

  constructor(storage: JobStorage) {
    this.storage = storage
  }

  async begin(ttl = 30_000): Promise<this> {
    await this.storage.work.open({ id: this.session, server: 'idle', ttl, info: '{}' })
    return this
  }

  look(): ReturnType<JobStorage['work']['exchange']> {
    return this.storage.work.exchange({ session: this.session, call: ++this.#call, apply: [], claim: this.claim })
  }

  async round(): Promise<void> {
    await this.look()
    await this.storage.upkeep.promote(500)
    await this.storage.upkeep.recover(500)
    await this.storage.upkeep.sweep(500)
    await this.storage.recurring.due(100)
  }

  async claimed(): Promise<number> {
    return (await this.look()).claimed.length
  }
}

describe('while nobody writes', () => {
  test('an idle server that looks again sends what renews its lease, and nothing else', async () => {
    const idle = await new Idle(open()).begin()
    await idle.round()
    await idle.round()
    statements()
    for (let n = 0; n < 20; n++) await idle.round()
    const renewals = statements()
    expect(renewals).toHaveLength(20)
    expect(new Set(renewals).size).toBe(1)
    expect(renewals[0]).toMatch(/^update q_session set seen/)
  })

  test('its lease is renewed all the same, and a call number that was used is refused', async () => {
    const idle = await new Idle(open()).begin()
    for (let n = 0; n < 5; n++) await idle.round()
    const [before] = await idle.storage.monitor.sessions()
    await pause(30)
    const { now } = await idle.look()
    const [after] = await idle.storage.monitor.sessions()
    expect(after!.seenAt).toBeGreaterThanOrEqual(before!.seenAt + 29)
    expect(Math.abs(now - Date.now())).toBeLessThan(60_000)
    const late = { session: idle.session, call: 3, apply: [], claim: idle.claim }
    await expect(idle.storage.work.exchange(late)).rejects.toMatchObject({ code: 'Q_CALL_CLOSED' })
    await idle.storage.work.reconcile(idle.session, 50, [])
    await expect(idle.storage.work.exchange({ ...late, call: 50 })).rejects.toMatchObject({ code: 'Q_CALL_CLOSED' })
  })
})

describe('an idle server misses nothing', () => {
  test('that is written here or by another storage of the file', async () => {
    const idle = await new Idle(open()).begin()
    const other = open()
    for (const writer of [idle.storage, other, idle.storage, other]) {
      for (let n = 0; n < 3; n++) await idle.round()
      expect(await idle.claimed()).toBe(0)
      await writer.jobs.create([job()])
      expect(await idle.claimed()).toBe(1)
    }
  })

  test('that comes with time alone', async () => {
    const idle = await new Idle(open()).begin()
    const { storage } = idle
    await storage.jobs.create([job({ state: { name: 'scheduled', phase: 'scheduled' }, delay: 100 })])
    const expiring = job({ queue: 'unheard', expires: 100 })
    await storage.jobs.create([expiring])
    await until(async () => {
      await storage.upkeep.promote(500)
      return (await idle.claimed()) === 1
    })
    await until(async () => {
      await storage.upkeep.promote(500)
      const [expired] = await storage.monitor.get([expiring.id])
      return expired?.state.phase === 'deleted'
    })
    expect(await storage.upkeep.promote(500)).toEqual({ moved: 0, again: false })
  })

  test('that retention lets go', async () => {
    const idle = await new Idle(open()).begin()
    const { storage } = idle
    const kept = job({ keep: { succeeded: 80 } })
    await storage.jobs.create([kept])
    const { claimed } = await idle.look()
    const to = { name: 'succeeded', phase: 'succeeded' } as const
    await storage.jobs.apply([{ id: kept.id, token: claimed[0]!.token, to }])
    await until(async () => {
      await idle.round()
      return (await storage.monitor.get([kept.id]))[0] === null
    })
    expect(await storage.upkeep.sweep(500)).toEqual({ removed: 0, again: false })
  })

  test('of a server that is lost, nor is it lost itself', async () => {
    const idle = await new Idle(open()).begin(200)
    const dying = await new Idle(open()).begin(200)
    await idle.storage.jobs.create([job()])
    expect(await dying.claimed()).toBe(1)
    const lost: string[] = []
    for (let n = 0; n < 100 && lost.length === 0; n++) {
      await idle.look()
      await idle.storage.upkeep.promote(500)
      lost.push(...(await idle.storage.upkeep.recover(500)).sessions)
      await pause(10)
    }
    expect(lost).toEqual([dying.session])
    expect(await idle.claimed()).toBe(1)
  })

  test('that its own session was ended by another', async () => {
    const idle = await new Idle(open()).begin()
    for (let n = 0; n < 3; n++) await idle.round()
    await open().work.end(idle.session)
    await expect(idle.look()).rejects.toMatchObject({ code: 'Q_SESSION_LOST' })
  })

  test('when somebody sets the clock of the process', async () => {
    const idle = await new Idle(open()).begin()
    for (let n = 0; n < 3; n++) await idle.round()
    statements()
    const real = Date.now
    Date.now = () => real() + 3_600_000
    unpatch.push(() => (Date.now = real))
    await idle.round()
    expect(statements().length).toBeGreaterThan(10)
  })
})
