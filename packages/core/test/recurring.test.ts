import { describe, expect, test } from 'vitest'
import { createClient, createServer, defineJob, isQError, memoryStorage, recurringJob } from '../src/index.ts'
import { gate, startFleet, until } from './fleet.ts'

const report = defineJob({ name: 'report', run: (_input: { day?: string }, ctx) => ctx.recurring?.id ?? 'by hand' })

describe('recurring jobs', () => {
  test('each occurrence becomes one job, with ten servers', async () => {
    const storage = memoryStorage()
    const runs: number[] = []
    const tick = defineJob({ name: 'tick', run: (_: void, ctx) => void runs.push(ctx.recurring!.at.getTime()) })
    const client = createClient({ storage })
    const servers = Array.from({ length: 10 }, (_, n) => createServer({ storage, jobs: [tick], name: `s${n}` }))
    await Promise.all(servers.map((server) => server.start()))
    await client.recurring.put('tick', { job: tick, every: 100 })
    await until(
      () => runs.length,
      (length) => length >= 1,
      20_000,
    )
    await client.recurring.remove('tick')
    await Promise.all(servers.map((server) => server.stop()))
    expect(new Set(runs).size).toBe(runs.length)
    expect(runs.every((at) => at % 100 === 0)).toBe(true)
  })

  test('putting what is there changes nothing; another schedule moves the next run', async () => {
    await using client = createClient({ storage: memoryStorage() })
    const put = (cron: string) =>
      client.recurring.put('nightly', { job: report, input: {}, cron, timeZone: 'Europe/Berlin' })
    const first = await put('0 3 * * *')
    expect(first).toMatchObject({
      id: 'nightly',
      job: 'report',
      queue: 'default',
      misfire: 'once',
      overlap: 'allow',
      paused: undefined,
    })
    expect(first.nextAt!.getTime()).toBeGreaterThan(Date.now())
    expect(first.next(3)).toHaveLength(3)
    const again = await put('0 3 * * *')
    expect([again.version, again.nextAt]).toEqual([first.version, first.nextAt])
    const moved = await put('0 4 * * *')
    expect(moved.version).toBeGreaterThan(first.version)
    expect(moved.nextAt).not.toEqual(first.nextAt)
  })

  test('pausing keeps it from running, with who and why; resuming goes on from now', async () => {
    await using fleet = await startFleet({ jobs: [report] })
    const { recurring } = fleet.client
    await recurring.put('often', { job: report, input: {}, every: 100 })
    expect(await recurring.pause('often', { reason: 'holidays', by: 'ada' })).toBe(true)
    expect(await recurring.get('often')).toMatchObject({ paused: { reason: 'holidays', by: 'ada' } })
    expect(await recurring.resume('often')).toBe(true)
    const resumed = (await recurring.get('often'))!
    expect(resumed.paused).toBeUndefined()
    expect(await recurring.pause('unknown')).toBe(false)
    await until(
      () => recurring.runs('often'),
      (runs) => runs.some(({ phase }) => phase === 'succeeded'),
      20_000,
    )
  })

  test('a trigger runs it now, beside its schedule', async () => {
    await using fleet = await startFleet({ jobs: [report] })
    const { recurring } = fleet.client
    const { nextAt } = await recurring.put('nightly', { job: report, input: { day: 'today' }, cron: '@daily' })
    const id = (await recurring.trigger('nightly'))!
    expect(await fleet.client.handle(report, id).result({ timeout: '5s' })).toBe('nightly')
    expect(await fleet.client.get(id)).toMatchObject({ input: { day: 'today' }, recurring: { id: 'nightly' } })
    expect((await recurring.get('nightly'))!.nextAt).toEqual(nextAt)
    expect(await recurring.trigger('unknown')).toBeNull()
  })

  test('reconcile makes the stored ones those of the code: adds, edits, removes its own, and never un-pauses', async () => {
    await using client = createClient({ storage: memoryStorage() })
    const entry = (id: string, cron: string) => recurringJob(id, { job: report, input: {}, cron })
    await client.recurring.put('foreign', { job: report, input: {}, cron: '@weekly' })
    await client.recurring.reconcile([entry('a', '@daily'), entry('b', '@daily')], {
      owner: 'app',
      prune: true,
      revision: 2,
    })
    await client.recurring.pause('b')
    expect(
      await client.recurring.reconcile([entry('b', '@hourly'), entry('c', '@daily')], {
        owner: 'app',
        prune: true,
        revision: 3,
      }),
    ).toEqual({ put: 2, removed: 1 })
    const { items } = await client.recurring.list()
    expect(items.map(({ id, words }) => [id, words])).toEqual([
      ['b', expect.stringMatching(/hour/i)],
      ['c', expect.any(String)],
      ['foreign', expect.any(String)],
    ])
    expect(items[0]!.paused).toBeDefined()
    // An older program starting late changes nothing and removes nothing.
    expect(
      await client.recurring.reconcile([entry('b', '@yearly')], { owner: 'app', prune: true, revision: 1 }),
    ).toEqual({ put: 0, removed: 0 })
    await expect(
      client.recurring.reconcile([entry('x', '@daily'), entry('x', '@daily')], { owner: 'app' }),
    ).rejects.toThrow('stands twice')
  })

  test('an overlapping run is left out, or waits, as told', async () => {
    for (const overlap of ['skip', 'wait'] as const) {
      const release = gate()
      let running = 0
      let most = 0
      const slow = defineJob({
        name: 'slow',
        async run() {
          most = Math.max(most, ++running)
          await release.opened
          running--
        },
      })
      await using fleet = await startFleet({ jobs: [slow] })
      await fleet.client.recurring.put('slow', { job: slow, every: 100, overlap })
      await until(
        () => running,
        (seen) => seen === 1,
        20_000,
      )
      const before = (await fleet.client.recurring.get('slow'))!.version
      await until(
        () => fleet.client.recurring.get('slow'),
        (seen) => seen!.version > before + 1,
        20_000,
      )
      expect(most).toBe(1)
      release.open()
      await until(
        () => fleet.client.recurring.runs('slow'),
        (runs) => runs.filter(({ phase }) => phase === 'succeeded').length >= 2,
        20_000,
      )
      await fleet.client.recurring.remove('slow')
      expect(most).toBe(1)
    }
  })

  test('mistakes are refused when the recurring job is put, with the field named', async () => {
    await using client = createClient({ storage: memoryStorage() })
    const refusal = async (options: object): Promise<string> => {
      const error: unknown = await client.recurring
        .put('r', { job: report, input: {}, ...options } as never)
        .catch((thrown: unknown) => thrown)
      return isQError(error) ? error.message : String(error)
    }
    expect(await refusal({ cron: '61 * * * *' })).toMatch(/minute/)
    expect(await refusal({ cron: '0 0 30 2 *' })).toMatch(/never/)
    expect(await refusal({ cron: '@daily', timeZone: 'Mars/Olympus' })).toMatch(/Mars/)
    expect(await refusal({ every: '1ms' })).toMatch(/every/)
    expect(await refusal({})).toMatch(/exactly one/)
    expect(await refusal({ cron: '@daily', overlap: 'maybe' })).toMatch('must be one of allow, skip, wait')
    expect(await refusal({ cron: '@daily', jitter: 'x' })).toMatch(/"jitter"/)
    expect(await client.recurring.list()).toMatchObject({ items: [] })
  })

  test('ten thousand recurring jobs are put and listed without trouble', async () => {
    await using client = createClient({ storage: memoryStorage() })
    const entries = Array.from({ length: 10_000 }, (_, n) =>
      recurringJob(`r${n}`, { job: report, input: {}, cron: `${n % 60} ${n % 24} * * *`, timeZone: 'Europe/Berlin' }),
    )
    const before = process.cpuUsage()
    expect(await client.recurring.reconcile(entries, { owner: 'app' })).toEqual({ put: 10_000, removed: 0 })
    // Work, not time: that is shared with whatever else the machine does.
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1000).toBeLessThan(20_000)
    let listed = 0
    for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
      const page = await client.recurring.list({ limit: 1000, cursor })
      listed += page.items.length
      cursor = page.next
    }
    expect(listed).toBe(10_000)
  })

  test('the jitter spreads an occurrence, always by the same share', async () => {
    await using fleet = await startFleet({ jobs: [report] })
    await fleet.client.recurring.put('spread', { job: report, input: {}, every: 1000, jitter: '1h' })
    const [run] = await until(
      () => fleet.client.recurring.runs('spread'),
      (runs) => runs.length > 0,
      20_000,
    )
    expect(await fleet.client.get(run!.job)).toMatchObject({ state: 'scheduled', reason: 'spread by its jitter' })
  })
})
