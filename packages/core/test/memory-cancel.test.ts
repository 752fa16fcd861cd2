import { describe, expect, test } from 'vitest'
import { MemoryStage, states } from './memory-stage.ts'

const cancelled = { name: 'cancelled', phase: 'deleted', reason: 'nobody wants it' } as const

describe('the wish to cancel in the memory storage', () => {
  test('the holder is told until the run ends, and the first wish counts', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const id = await stage.created()
    const { token } = await worker.claimOne()
    const wish = { command: 'one', grace: 500, by: 'ann' }
    expect(await stage.command(id, cancelled, wish)).toEqual({ ok: 'signalled' })
    expect(await stage.command(id, cancelled, wish)).toEqual({ ok: 'already' })
    expect(await stage.command(id, states.deleted, { command: 'two' })).toEqual({ ok: 'signalled' })
    expect((await worker.exchange()).signals.cancel).toEqual([{ id, token, reason: cancelled.reason, grace: 500 }])
    const retry = { id, token, to: states.scheduled, via: [states.failed], delay: 60_000 }
    expect((await worker.exchange({ apply: [retry] })).applied).toMatchObject([{ ok: 'applied' }])
    expect(await stage.story(id)).toEqual(['enqueued', 'processing', 'failed', 'cancelled: nobody wants it'])
    expect((await stage.view(id)).state).toMatchObject({ by: 'ann', command: 'one' })
    expect((await worker.exchange()).signals.cancel).toEqual([])
    expect(await stage.command(id, cancelled, wish)).toEqual({ ok: 'already' })
  })

  test.each([
    ['an undo', { to: states.enqueued, attempt: 'undo' as const }],
    ['a snooze', { to: states.scheduled, attempt: 'undo' as const, delay: 1_000 }],
    ['a parking', { to: { name: 'enqueued', phase: 'parked' as const }, parkedFor: 'send@1' }],
  ])('it outlives %s', async (_, change) => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const id = await stage.created()
    const { token } = await worker.claimOne()
    await stage.command(id, cancelled)
    await worker.exchange({ apply: [{ id, token, ...change }] })
    expect(await stage.phase(id)).toBe('deleted')
  })

  test('it outlives a crash and a goodbye', async () => {
    const stage = new MemoryStage()
    const [lost, left] = [await stage.worker(['mail'], 1_000), await stage.worker()]
    const ids = [await stage.created(), await stage.created()]
    await lost.claim()
    await left.claim()
    for (const id of ids) await stage.command(id, cancelled)
    stage.now += 1_000
    await stage.storage.upkeep.recover(9)
    stage.now += 1_000
    await stage.storage.upkeep.recover(9)
    await stage.storage.work.end(left.session)
    for (const id of ids) expect((await stage.view(id)).state).toMatchObject({ name: 'cancelled', phase: 'deleted' })
  })

  test('a success stays a success, and a later requeue runs', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const id = await stage.created()
    const run = await worker.claimOne()
    await stage.command(id, cancelled)
    await worker.end(run)
    expect(await stage.phase(id)).toBe('succeeded')
    await stage.command(id, states.enqueued)
    await worker.end(await worker.claimOne(), states.enqueued)
    expect(await stage.phase(id)).toBe('ready')
  })

  test('a voided claim stays signalled until its holder has named the token', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const id = await stage.created()
    const run = await worker.claimOne()
    await stage.command(id, states.deleted, { force: true })
    const voided = [{ id, token: run.token, voided: true }]
    expect((await worker.exchange()).signals.cancel).toEqual(voided)
    expect(await stage.storage.work.heartbeat([worker.session])).toMatchObject([{ signals: { cancel: voided } }])
    expect(await worker.end(run)).toEqual({ ok: 'stale' })
    expect((await worker.exchange()).signals.cancel).toEqual([])
  })

  test('what keeps an active job alive needs force', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const id = await stage.created()
    const run = await worker.claimOne()
    expect(await stage.command(id, states.enqueued)).toEqual({ ok: 'refused', phase: 'active', state: 'processing' })
    expect(await stage.command(id, states.enqueued, { force: true })).toMatchObject({ ok: 'applied' })
    expect(await worker.end(run)).toEqual({ ok: 'stale' })
    expect(await worker.claimIds()).toEqual([id])
  })
})
