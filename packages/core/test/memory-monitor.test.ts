import { describe, expect, test } from 'vitest'
import type { JobQuery, PageRequest } from '../src/storage/index.ts'
import { MemoryStage, idOf, states } from './memory-stage.ts'

async function walk(stage: MemoryStage, query: JobQuery, page: PageRequest): Promise<string[]> {
  const ids: string[] = []
  for (let cursor: string | undefined, pages = 0; pages < 1_000; pages++) {
    const { items, next } = await stage.storage.monitor.list(query, { ...page, cursor })
    ids.push(...items.map(({ id }) => id))
    if (next === undefined) return ids
    cursor = next
  }
  throw new Error('the pages never end')
}

describe('what the memory storage shows', () => {
  test('pages go on where they stopped while jobs come, go and leave', async () => {
    const stage = new MemoryStage()
    for (let n = 0; n < 40; n++) {
      stage.now += n % 3 === 0 ? 1 : 0
      await stage.created()
    }
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await stage.storage.monitor.list({ phase: ['ready'] }, { limit: 7, cursor })
      seen.push(...page.items.map(({ id }) => id))
      cursor = page.next
      stage.now += 1
      await stage.created()
      await stage.command(page.items.at(-1)!.id, states.deleted)
    } while (cursor !== undefined)
    expect(seen).toEqual(Array.from({ length: 40 }, (_, n) => idOf(40 - n)))
  })

  test.each(['newest', 'oldest', 'claim', 'due'] as const)('lists in the order "%s", page by page', async (order) => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const gates = [{ key: 'gate', limit: 1 }]
    const made = Array.from({ length: 30 }, (_, n) => {
      if (n % 3 === 0) return stage.job({ state: states.scheduled, delay: 1_000 - ((n * 37) % 10), queue: 'later' })
      return stage.job({ priority: 100 - (n % 4), gates: n % 5 === 0 ? gates : undefined, queue: n % 2 ? 'mail' : 'a' })
    })
    await stage.create(...made, stage.job({ gates, queue: 'mail', priority: 0 }))
    await worker.claim()
    await worker.claim(0)
    const all = await stage.storage.monitor.list({}, { limit: 100, order })
    const ids = all.items.map(({ id }) => id)
    expect(await walk(stage, {}, { limit: 4, order })).toEqual(ids)
    expect(all.next).toBeUndefined()
    const keys = all.items.map(({ queue, priority, dueAt, id, state }) => {
      if (order === 'claim') return [queue, String(priority).padStart(3, '0'), id].join()
      return order === 'due' ? `${dueAt},${id}` : `${state.at},${id}`
    })
    expect(keys).toEqual(order === 'newest' ? keys.toSorted().toReversed() : keys.toSorted())
    expect(ids).toHaveLength({ newest: 31, oldest: 31, claim: 20, due: 10 }[order])
  })

  test('filters may look at many jobs for one, and say so when the budget is used up', async () => {
    const stage = new MemoryStage()
    const needle = await stage.created({ tags: ['needle'] })
    for (let n = 0; n < 101; n++) await stage.create(...Array.from({ length: 1_000 }, () => stage.job()))
    const page = await stage.storage.monitor.list({ tag: ['needle'] }, { limit: 5 })
    expect(page).toMatchObject({ items: [], searched: { scanned: 100_000, complete: false } })
    const rest = await stage.storage.monitor.list({ tag: ['needle'] }, { limit: 5, cursor: page.next })
    expect([rest.items.map(({ id }) => id), rest.next]).toEqual([[needle], undefined])
    expect(await stage.storage.monitor.count({ tag: ['needle'] }, 10)).toEqual({ value: 0, exact: false })
    expect(await stage.storage.monitor.count({ phase: ['ready'] }, 1_000_000)).toEqual({ value: 101_001, exact: true })
  })

  test('a span of time contains its start and not its end', async () => {
    const stage = new MemoryStage()
    const from = stage.now
    for (let n = 0; n < 5; n++) {
      await stage.created()
      stage.now += 10
    }
    const span = { enteredAfter: from + 10, enteredBefore: from + 30 }
    for (const order of ['newest', 'oldest'] as const) {
      expect((await walk(stage, span, { limit: 1, order })).toSorted()).toEqual([idOf(2), idOf(3)])
    }
    expect(await stage.storage.monitor.count(span, 10)).toEqual({ value: 2, exact: true })
  })

  test.each(['', 'nonsense', 'bm9uc2Vuc2U', 'W10'])('refuses the cursor "%s"', async (cursor) => {
    const { monitor } = new MemoryStage().storage
    const refused = { code: 'Q_OPTION_INVALID' }
    await expect(monitor.list({}, { limit: 1, cursor })).rejects.toMatchObject(refused)
    await expect(monitor.errors({ limit: 1, cursor })).rejects.toMatchObject(refused)
    await expect(monitor.recurring({ limit: 1, cursor })).rejects.toMatchObject(refused)
  })

  test('refuses the cursor of another order', async () => {
    const stage = new MemoryStage()
    await stage.create(stage.job(), stage.job())
    const { next } = await stage.storage.monitor.list({}, { limit: 1, order: 'newest' })
    const other = stage.storage.monitor.list({}, { limit: 1, order: 'claim', cursor: next })
    await expect(other).rejects.toMatchObject({ code: 'Q_OPTION_INVALID' })
  })

  test('finds failures by what failed, also while they wait for their retry', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const [waiting, failed] = [await stage.created(), await stage.created()]
    await worker.end(await worker.claimOne(), states.scheduled, { via: [states.failed], delay: 60_000 })
    await worker.end(await worker.claimOne(), states.failed)
    expect(await walk(stage, { error: 'boom' }, { limit: 9, order: 'oldest' })).toEqual([waiting, failed])
    const { items } = await stage.storage.monitor.errors({ limit: 9 })
    expect(items).toMatchObject([{ fingerprint: 'boom', count: 2, names: ['send'], sample: failed }])
    expect(items[0]!.trend).toHaveLength(24)
    expect(items[0]!.trend.at(-1)).toBe(2)
  })

  test('keeps minutes for a day and what they add up to for longer', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const minute = 60_000
    const from = Math.ceil(stage.now / 86_400_000) * 86_400_000
    stage.now = from
    for (let n = 0; n < 3; n++) {
      await stage.created({ queue: n === 2 ? 'other' : 'mail' })
      await worker.claim()
      stage.now += minute
    }
    const seriesOf = (step: 'minute' | 'hour' | 'day', by: 'all' | 'queue' = 'all') =>
      stage.storage.monitor.series({ by, step, from, to: from + 86_400_000 })
    expect((await seriesOf('minute')).map(({ at, created }) => [at, created])).toEqual([
      [from, 1],
      [from + minute, 1],
      [from + 2 * minute, 1],
    ])
    const hours = await seriesOf('hour', 'queue')
    expect(hours).toMatchObject([
      { at: from, key: 'mail', created: 2 },
      { at: from, key: 'other', created: 1 },
    ])
    stage.now += 2 * 86_400_000
    await stage.storage.upkeep.sweep(10)
    expect(await seriesOf('minute')).toEqual([])
    expect(await seriesOf('hour', 'queue')).toEqual(hours)
    stage.now += 40 * 86_400_000
    await stage.storage.upkeep.sweep(10)
    expect(await seriesOf('hour')).toEqual([])
    expect(await seriesOf('day')).toMatchObject([{ at: from, created: 3 }])
  })

  test('keeps the last thousand log lines, and the last two hundred states', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const id = await stage.created()
    const { token } = await worker.claimOne()
    const lines = Array.from({ length: 700 }, (_, n) => `line ${n + 1}`)
    const note = (from: number) => worker.exchange({ notes: [{ id, token, log: { from, lines } }] })
    expect((await note(1)).noted).toEqual([true])
    await note(1)
    await note(601)
    const { items } = await stage.storage.monitor.logs(id)
    expect([items.length, items[0]!.n, items.at(-1)]).toMatchObject([1_000, 301, { n: 1_300, text: 'line 700' }])
    for (let n = 0; n < 500; n++) await stage.command(id, states.enqueued, { force: true })
    const history = await stage.storage.monitor.history(id)
    expect([history.length, history.at(-1)!.n, history[0]!.n]).toEqual([200, 502, 303])
  })

  test('nobody changes a job by changing what was given or read', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const payload = new Uint8Array([1, 2, 3])
    const tags = ['a']
    const params = { color: 'red' }
    const keep = { succeeded: 5_000 }
    const id = await stage.created({ payload, tags, params, keep, gates: [{ key: 'gate', limit: 1 }] })
    payload[0] = 99
    tags.push('b')
    params.color = 'blue'
    keep.succeeded = 1
    const claimed = await worker.claimOne()
    expect(claimed).toMatchObject({ payload: new Uint8Array([1, 2, 3]), tags: ['a'], params: { color: 'red' } })
    ;(claimed.payload as Uint8Array)[0] = 77
    const data = new Uint8Array([4])
    await worker.end(claimed, { ...states.succeeded, data })
    data[0] = 88
    const view = await stage.view(id)
    ;(view.payload as Uint8Array)[1] = 66
    expect(await stage.view(id)).toMatchObject({
      payload: new Uint8Array([1, 2, 3]),
      state: { data: new Uint8Array([4]) },
      removeAt: stage.now + 5_000,
    })
  })
})

describe('wake-ups of the memory storage', () => {
  test('come once, after the step, for whatever a watcher asked for', async () => {
    const stage = new MemoryStage()
    let wakes = 0
    const watch = await stage.storage.wakeups.watch([{ queue: 'mail' }, { names: true }], () => void wakes++)
    stage.storage.jobs.createSync([stage.job(), stage.job()])
    expect(wakes).toBe(0)
    await Promise.resolve()
    expect(wakes).toBe(1)
    stage.storage.jobs.createSync([stage.job({ queue: 'other' })])
    await Promise.resolve()
    expect(wakes).toBe(2)
    stage.storage.jobs.createSync([stage.job({ queue: 'other' })])
    await Promise.resolve()
    expect(wakes).toBe(2)
    stage.storage.jobs.createSync([stage.job()])
    await watch.close()
    await Promise.resolve()
    expect(wakes).toBe(2)
  })

  test('tell a session of its signals, whoever follows a job of its steps, and who waits for a lock of its end', async () => {
    const stage = new MemoryStage()
    const { locks, wakeups } = stage.storage
    const worker = await stage.worker()
    const id = await stage.created()
    const { token } = await worker.claimOne()
    const heard: string[] = []
    await wakeups.watch([{ session: worker.session }], () => void heard.push('session'))
    await wakeups.watch([{ job: id }], () => void heard.push('job'))
    await wakeups.watch([{ lock: 'door' }], () => void heard.push('lock'))
    await stage.command(id, states.deleted)
    expect(heard.splice(0)).toEqual(['session', 'job'])
    await worker.exchange({ notes: [{ id, token, progress: '50' }] })
    expect(heard.splice(0)).toEqual(['job'])
    await locks.acquire('door', 'ann', 1_000)
    await locks.release('door', 'bob')
    expect(heard).toEqual([])
    await locks.release('door', 'ann')
    expect(heard).toEqual(['lock'])
  })
})
