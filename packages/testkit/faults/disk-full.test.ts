import { describe, expect, test } from 'vitest'
import { SmallDisk, mayMount } from './disk/small-disk.ts'
import { until } from './fleet/until.ts'
import { Play } from './single/play.ts'
import { postgresStageIn, redisStageIn } from './stages/full-stages.ts'
import { sqliteStage } from './stages/sqlite-stage.ts'
import type { Stage } from './stages/stage.ts'

const stages: Readonly<Record<string, (folder: string) => Promise<Stage>>> = {
  sqlite: sqliteStage,
  postgres: postgresStageIn,
  'redis with AOF everysec': (folder) => redisStageIn(folder, 'everysec'),
}

const leaseMs = 2_000

/** A full disk cannot be had without the right to mount a small one. */
const mounts = await mayMount()

test('a small disk can be had by root, or by sudo without a password', () => {
  expect(mounts || process.getuid?.() !== 0).toBe(true)
})

describe.concurrent('a disk that is full', { timeout: 120_000 }, () => {
  for (const [name, open] of Object.entries(mounts ? stages : {})) {
    test(`refuses new jobs on ${name}, and work goes on by itself once there is room`, async () => {
      await using disk = await SmallDisk.open()
      await using stage = await open(disk.path)
      await using play = await Play.open(stage, leaseMs)
      await startTwo(play)
      await play.end(await enqueue(play, 50))
      await play.fleet.during('all', 'disk full', true, async () => {
        disk.fill()
        await until('a job is refused', 60_000, async () => {
          await enqueue(play, 5)
          return outcomes(play).includes('refused')
        })
        disk.free()
      })
      await until('a job is accepted again', 30_000, async () => {
        await enqueue(play, 1)
        return outcomes(play).at(-1) === 'accepted'
      })
      await play.end(await enqueue(play, 50), 30_000)
      await drained(play)
      const { entries } = await play.reckon()
      const codes = entries.flatMap((entry) => (entry.k === 'refused' ? [entry.code] : []))
      expect(new Set(codes)).toEqual(new Set(['Q_STORAGE_UNAVAILABLE']))
    })
  }

  test.each(mounts ? ['redis'] : [])(
    'ends a %s with AOF always, which has everything it acknowledged when it is started again',
    async () => {
      await using disk = await SmallDisk.open()
      await using stage = await redisStageIn(disk.path, 'always')
      await using play = await Play.open(stage, leaseMs)
      await startTwo(play)
      await play.end(await enqueue(play, 50))
      await play.fleet.during('all', 'disk full', true, async () => {
        disk.fill()
        await until('a job is not accepted', 60_000, async () => {
          await enqueue(play, 1)
          return outcomes(play).at(-1) !== 'accepted'
        })
        disk.free()
        await stage.restart!(0)
      })
      await until('a job is accepted again', 30_000, async () => {
        await enqueue(play, 1)
        return outcomes(play).at(-1) === 'accepted'
      })
      await play.end(await enqueue(play, 50), 30_000)
      await drained(play)
      expect((await play.reckon()).jobs.size).toBeGreaterThanOrEqual(100)
    },
  )
})

async function startTwo(play: Play): Promise<void> {
  const workers = await Promise.all([play.fleet.start('worker'), play.fleet.start('worker')])
  await Promise.all(workers.map((worker) => worker.ready()))
}

async function enqueue(play: Play, count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, () => play.announcer.enqueue(play.jobs.plain, { ms: 1 })))
}

/** What the test was told of its jobs, in order. */
function outcomes(play: Play): string[] {
  return play.fleet
    .entriesOf('harness')
    .flatMap(({ k }) => (k === 'accepted' || k === 'refused' || k === 'unclear' ? [k] : []))
}

async function drained(play: Play): Promise<void> {
  await until('everything has ended', 30_000, async () => {
    const { byPhase } = await play.storage.monitor.counts()
    return byPhase.ready + byPhase.active + byPhase.scheduled === 0
  })
}
