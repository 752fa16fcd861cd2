import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { machineMs } from '../evidence/entry.ts'
import { until } from '../fleet/until.ts'
import type { Host } from '../stages/stage.ts'
import { killWorker } from './kill-worker.ts'
import { Play, startsOf } from './play.ts'

const leaseMs = 3_000

/** One fault at a time, with the bound that is promised for it. */
export function describeSingleFaults(openHost: () => Promise<Host>): void {
  let host: Host
  beforeAll(async () => {
    host = await openHost()
  })
  afterAll(() => host[Symbol.asyncDispose]())

  describe.concurrent('one fault at a time', { timeout: 120_000 }, () => {
    test('the jobs of a killed worker run elsewhere within its lease and five seconds', async () => {
      const killedLeaseMs = 5_000
      await using stage = await host.stage()
      expect(Math.max(...(await killWorker(stage, killedLeaseMs)))).toBeLessThanOrEqual(killedLeaseMs + 5_000)
    })

    test('a job that runs five times the lease of a worker that lives starts once', async () => {
      await using stage = await host.stage()
      await using play = await Play.open(stage, leaseMs)
      const [worker] = await Promise.all([play.fleet.start('worker'), play.fleet.start('worker')])
      await worker.ready()
      const id = await play.announcer.enqueue(play.jobs.plain, { ms: 5 * leaseMs })
      await play.end([id])
      expect(startsOf(await play.reckon(), id)).toHaveLength(1)
    })

    test('a process that is stopped beyond its lease comes back refused: signals abort, nothing it ends counts', async () => {
      await using stage = await host.stage()
      await using play = await Play.open(stage, leaseMs)
      const [zombie, heir] = await play.pair()
      const ids = await play.occupy(zombie, 6, 6_000)
      await play.fleet.during(zombie.name, 'freeze', true, async () => {
        zombie.freeze()
        heir.tell({ do: 'begin' })
        await until('its session is given up', 30_000, async () => !(await play.hasSession(zombie)))
        zombie.thaw()
      })
      await until('it works again', 30_000, () => play.hasSession(zombie))
      await play.end(ids)
      const { entries, jobs } = await play.reckon()
      for (const id of ids) {
        const aborted = entries.find((entry) => entry.k === 'aborted' && entry.id === id && entry.who === zombie.name)
        expect(aborted).toMatchObject({ attempt: 1, code: 'Q_RUN_VOIDED' })
        const [success, ...others] = jobs.get(id)!.history.filter(({ phase }) => phase === 'succeeded')
        expect(others).toEqual([])
        expect(success!.attempt).toBeGreaterThan(1)
      }
    })

    test('an event loop that is blocked for three leases keeps its jobs with a pacemaker', async () => {
      await using stage = await host.stage()
      await using play = await Play.open(stage, leaseMs)
      const [blocked, heir] = await play.pair()
      const ids = await play.occupy(blocked, 6, 3_000)
      // Nobody is told of a hit: the checker would take a second start for what it is.
      blocked.tell({ do: 'block', ms: 3 * leaseMs })
      heir.tell({ do: 'begin' })
      await pause(3 * leaseMs)
      await play.end(ids)
      const evidence = await play.reckon()
      for (const id of ids) expect(startsOf(evidence, id).map(({ who }) => who)).toEqual([blocked.name])
      expect(evidence.entries.filter(({ k }) => k === 'lease lost')).toEqual([])
    })

    test('a pacemaker gives up on an event loop that does not turn for longer than its bound', async () => {
      const shortLeaseMs = 1_500
      await using stage = await host.stage()
      await using play = await Play.open(stage, shortLeaseMs)
      const [blocked, heir] = await play.pair()
      const ids = await play.occupy(blocked, 6, 3_000)
      const at = machineMs()
      await play.fleet.during(blocked.name, 'block', true, async () => {
        blocked.tell({ do: 'block', ms: 12 * shortLeaseMs })
        heir.tell({ do: 'begin' })
        await play.end(ids, 12 * shortLeaseMs)
      })
      expect(machineMs() - at).toBeGreaterThan(4 * shortLeaseMs)
      const evidence = await play.reckon()
      for (const id of ids) expect(startsOf(evidence, id).map(({ who }) => who)).toEqual([blocked.name, heir.name])
    })

    test('an event loop that is blocked for three leases without a pacemaker loses its jobs once, and ends none late', async () => {
      await using stage = await host.stage()
      await using play = await Play.open(stage, leaseMs)
      const [blocked, heir] = await play.pair({ hasPacemaker: false })
      const ids = await play.occupy(blocked, 6, 3_000)
      await play.fleet.during(blocked.name, 'block', true, async () => {
        blocked.tell({ do: 'block', ms: 3 * leaseMs })
        heir.tell({ do: 'begin' })
        await pause(3 * leaseMs)
      })
      await play.end(ids)
      const evidence = await play.reckon()
      for (const id of ids) {
        expect(startsOf(evidence, id).map(({ who }) => who)).toEqual([blocked.name, heir.name])
        expect(evidence.jobs.get(id)!.history.at(-1)).toMatchObject({ phase: 'succeeded', by: heir.name, attempt: 2 })
      }
    })

    test('workers whose clocks are an hour off, or jump, start nothing early and take nothing from each other', async () => {
      await using stage = await host.stage()
      await using play = await Play.open(stage, leaseMs)
      const hourMs = 3_600_000
      const workers = await Promise.all([
        play.fleet.start('worker', { clock: { shiftMs: hourMs, jumps: false } }),
        play.fleet.start('worker', { clock: { shiftMs: -hourMs, jumps: false } }),
        play.fleet.start('worker', { clock: { shiftMs: hourMs, jumps: true } }),
      ])
      await Promise.all(workers.map((worker) => worker.ready()))
      const at = machineMs()
      const scheduled = await play.announcer.schedule(play.jobs.plain, { ms: 5 }, 2_000)
      const running = await Promise.all(
        Array.from({ length: 12 }, () => play.announcer.enqueue(play.jobs.plain, { ms: 2 * leaseMs })),
      )
      await play.end([scheduled, ...running])
      const evidence = await play.reckon()
      for (const id of running) expect(startsOf(evidence, id)).toHaveLength(1)
      const [start, ...others] = startsOf(evidence, scheduled)
      expect(others).toEqual([])
      expect(start!.at - at).toBeGreaterThanOrEqual(1_990)
      expect(start!.at - at).toBeLessThan(2_000 + 10_000)
      expect(evidence.entries.filter(({ k }) => k === 'lease lost')).toEqual([])
    })
  })
}

/** What can happen to the line between processes and their server. */
export function describeLineFaults(openHost: () => Promise<Host>): void {
  let host: Host
  beforeAll(async () => {
    host = await openHost()
  })
  afterAll(() => host[Symbol.asyncDispose]())

  describe.concurrent('one fault of the line at a time', { timeout: 120_000 }, () => {
    test('a worker whose line goes silent stops its jobs before others start them, and works again once it is back', async () => {
      await using stage = await host.stage()
      await using play = await Play.open(stage, leaseMs)
      const [silenced, heir] = await play.pair({ hasPacemaker: false })
      const ids = await play.occupy(silenced, 6, 6_000)
      await play.fleet.during(silenced.name, 'black hole', true, async () => {
        silenced.line!.blackHole()
        heir.tell({ do: 'begin' })
        await until('its session is given up', 30_000, async () => !(await play.hasSession(silenced)))
      })
      silenced.line!.heal()
      await until('it works again', 30_000, () => play.hasSession(silenced))
      await play.end(ids)
      const evidence = await play.reckon()
      for (const id of ids) {
        const aborted = evidence.entries.find(
          (entry) => entry.k === 'aborted' && entry.id === id && entry.who === silenced.name,
        )
        expect(aborted).toMatchObject({ code: 'Q_RUN_VOIDED' })
        expect(startsOf(evidence, id)[1]!.at).toBeGreaterThan(aborted!.at)
      }
    })

    test('a slow line slows work down, and nothing is taken from anybody', async () => {
      await using stage = await host.stage()
      await using play = await Play.open(stage, leaseMs)
      const workers = await Promise.all([play.fleet.start('worker'), play.fleet.start('worker')])
      await Promise.all(workers.map((worker) => worker.ready()))
      for (const { line } of workers) line!.delay(50)
      const ids = await Promise.all(
        Array.from({ length: 100 }, () => play.announcer.enqueue(play.jobs.plain, { ms: 10 })),
      )
      await play.end(ids)
      const evidence = await play.reckon()
      for (const id of ids) expect(startsOf(evidence, id)).toHaveLength(1)
    })
  })
}
