import { describe, expect, test } from 'vitest'
import type { RecurringPut, RecurringRecord } from '../src/storage/index.ts'
import { MemoryStage, idOf, states } from './memory-stage.ts'

function nightly(stage: MemoryStage, over: Partial<RecurringPut> = {}): RecurringPut {
  return { id: 'nightly', spec: '0 3 * * *', job: stage.job(), nextAt: stage.now + 1_000, ...over }
}

async function recordOf(stage: MemoryStage, id = 'nightly'): Promise<RecurringRecord | undefined> {
  return (await stage.storage.monitor.recurring({ limit: 1, ids: [id] })).items[0]
}

describe('recurring records of the memory storage', () => {
  test('the same definition again changes nothing, its next instant included', async () => {
    const stage = new MemoryStage()
    const { put } = stage.storage.recurring
    const record = nightly(stage, { spec: new Uint8Array([1, 2]), paused: undefined })
    expect(await put([record])).toEqual([{ ok: true, version: 1 }])
    const { paused: _, ...again } = record
    expect(await put([{ ...again, spec: new Uint8Array([1, 2]), nextAt: 1 }])).toEqual([{ ok: true, version: 1 }])
    expect((await recordOf(stage))?.nextAt).toBe(record.nextAt)
    expect(await put([{ ...record, spec: new Uint8Array([1, 3]), nextAt: 7 }])).toEqual([{ ok: true, version: 2 }])
    expect((await recordOf(stage))?.nextAt).toBe(7)
  })

  test('an older revision changes nothing, and a version that was seen never comes back', async () => {
    const stage = new MemoryStage()
    const { put, remove, tick } = stage.storage.recurring
    await put([nightly(stage, { revision: 5 })])
    expect(await put([nightly(stage, { revision: 4, spec: 'older' })])).toEqual([{ ok: false, version: 1 }])
    expect(await put([nightly(stage, { expect: 0 })])).toEqual([{ ok: false, version: 1 }])
    expect(await remove([{ id: 'nightly', expect: 2 }, { id: 'nightly' }, { id: 'nightly' }])).toEqual([
      false,
      true,
      false,
    ])
    expect(await put([nightly(stage, { expect: 0 })])).toEqual([{ ok: true, version: 2 }])
    expect(await tick([{ id: 'nightly', expect: 1, nextAt: null, jobs: [] }])).toEqual([{ ok: false, created: [] }])
  })

  test('a pause hides a record until it is over', async () => {
    const stage = new MemoryStage()
    const { due, put } = stage.storage.recurring
    await put([nightly(stage, { paused: { at: stage.now, until: stage.now + 5_000 } })])
    await put([nightly(stage, { id: 'for ever', paused: { at: stage.now } })])
    stage.now += 4_999
    expect(await due(10)).toEqual({ now: stage.now, due: [], nextDue: stage.now + 1 })
    stage.now += 1
    expect((await due(10)).due.map(({ id }) => id)).toEqual(['nightly'])
  })

  test('remembers fifty runs, beyond the retention of their jobs', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const { put, runs, tick } = stage.storage.recurring
    await put([nightly(stage)])
    for (let n = 1; n <= 55; n++) {
      const job = { ...stage.job(), recurring: { id: 'nightly', at: n }, keep: { succeeded: 0 } }
      const [ticked] = await tick([{ id: 'nightly', expect: n, nextAt: null, jobs: [job] }])
      expect(ticked).toEqual({ ok: true, created: [{ ok: 'created' }] })
      await worker.end(await worker.claimOne(), states.succeeded, { ranMs: n })
    }
    await stage.storage.upkeep.sweep(100)
    expect(await recordOf(stage)).toMatchObject({ lastAt: 55, lastJob: idOf(56), version: 56 })
    const remembered = await runs('nightly', 100)
    expect(remembered).toHaveLength(50)
    expect(remembered[0]).toEqual({ job: idOf(56), at: 55, phase: 'succeeded', ranMs: 55 })
  })

  test('a tick that is skipped moves the schedule on and makes nothing', async () => {
    const stage = new MemoryStage()
    const { put, tick } = stage.storage.recurring
    await put([nightly(stage)])
    const running = await stage.created()
    const step = { id: 'nightly', expect: 1, nextAt: 99, jobs: [stage.job()], skipWhile: running }
    expect(await tick([step])).toEqual([{ ok: true, skipped: true, created: [] }])
    expect(await recordOf(stage)).toMatchObject({ nextAt: 99, version: 2 })
    await stage.command(running, states.deleted)
    expect(await tick([{ ...step, expect: 2 }])).toEqual([{ ok: true, created: [{ ok: 'created' }] }])
  })
})
