import { describe, expect, test } from 'vitest'
import { MemoryStage, states } from './memory-stage.ts'

describe('recovery in the memory storage', () => {
  test('one look makes a silent session suspect, a second one half a ttl later finds it lost', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker(['mail'], 1_000)
    const id = await stage.created()
    await worker.claim()
    stage.now += 60_000
    const { recover } = stage.storage.upkeep
    const nextLook = stage.now + 500
    expect(await recover(10)).toEqual({ jobs: [], sessions: [], again: false, nextLook })
    stage.now += 499
    expect(await recover(10)).toEqual({ jobs: [], sessions: [], again: false, nextLook })
    stage.now += 1
    expect(await recover(10)).toEqual({ jobs: [id], sessions: [worker.session], again: false, nextLook: undefined })
    expect(await stage.view(id)).toMatchObject({ state: { phase: 'ready' }, attempt: 1, crashes: 1 })
  })

  test('silence shorter than half a ttl is not even looked at', async () => {
    const stage = new MemoryStage()
    await stage.worker(['mail'], 1_000)
    stage.now += 499
    await stage.storage.upkeep.recover(10)
    stage.now += 500
    await stage.storage.upkeep.recover(10)
    stage.now += 499
    expect((await stage.storage.upkeep.recover(10)).sessions).toEqual([])
    stage.now += 1
    expect((await stage.storage.upkeep.recover(10)).sessions).toHaveLength(1)
  })

  test('any sign of life clears the suspicion', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker(['mail'], 1_000)
    for (const live of [() => worker.exchange(), () => stage.storage.work.heartbeat([worker.session])]) {
      stage.now += 5_000
      await stage.storage.upkeep.recover(10)
      stage.now += 499
      await live()
      stage.now += 499
      expect((await stage.storage.upkeep.recover(10)).sessions).toEqual([])
    }
  })

  test('a session that is being buried in chunks neither claims nor completes', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker(['mail'], 1_000)
    await stage.create(stage.job(), stage.job(), stage.job())
    const claimed = await worker.claim(3)
    stage.now += 1_000
    await stage.storage.upkeep.recover(2)
    stage.now += 1_000
    expect(await stage.storage.upkeep.recover(2)).toMatchObject({ sessions: [], again: true })
    const call = { session: worker.session, call: 9, apply: [] }
    await expect(stage.storage.work.exchange(call)).rejects.toMatchObject({ code: 'Q_SESSION_LOST' })
    expect(await stage.storage.work.heartbeat([worker.session])).toMatchObject([{ alive: false }])
    const rest = await stage.storage.upkeep.recover(2)
    expect(rest).toEqual({ jobs: [claimed[2]!.id], sessions: [worker.session], again: false })
  })

  test('a prefetched job is not charged, and never prefetched again', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker(['mail'], 1_000)
    const [started, waiting] = [await stage.created(), await stage.created()]
    expect(await worker.claimIds(1, { extra: 1 })).toEqual([started, waiting])
    stage.now += 1_000
    await stage.storage.upkeep.recover(9)
    stage.now += 1_000
    await stage.storage.upkeep.recover(9)
    expect(await stage.view(started)).toMatchObject({ attempt: 1, crashes: 1 })
    expect(await stage.view(waiting)).toMatchObject({ attempt: 0, crashes: 0 })
    const next = await stage.worker()
    expect(await next.claimIds(1, { extra: 1 })).toEqual([started])
    expect(await next.claimIds(1)).toEqual([waiting])
  })

  test('the last allowed crash is a failure, and decides for the children', async () => {
    const stage = new MemoryStage()
    const id = await stage.created({ crashLimit: 2 })
    const sorry = await stage.child(id, { after: [{ parent: id, on: ['failed'] }] })
    for (let crash = 1; crash <= 2; crash++) {
      const worker = await stage.worker(['mail'], 1_000)
      await worker.claim()
      stage.now += 1_000
      await stage.storage.upkeep.recover(9)
      stage.now += 1_000
      await stage.storage.upkeep.recover(9)
    }
    expect(await stage.view(id)).toMatchObject({ state: { phase: 'failed' }, attempt: 2, crashes: 2 })
    expect(await stage.phase(sorry)).toBe('ready')
  })

  test('an adopted job is parked again, whatever ends the claim', async () => {
    const stage = new MemoryStage()
    const id = await stage.created()
    const old = await stage.worker(['mail'], 1_000)
    const adopt = ['send@1']
    await old.end(await old.claimOne(), { name: 'enqueued', phase: 'parked' }, { attempt: 'undo', parkedFor: 'send@1' })
    await old.end(await old.claimOne({ adopt }), states.enqueued, { attempt: 'undo' })
    expect(await stage.view(id)).toMatchObject({ state: { phase: 'parked' }, attempt: 0 })
    await old.claimOne({ adopt })
    stage.now += 1_000
    await stage.storage.upkeep.recover(9)
    stage.now += 1_000
    await stage.storage.upkeep.recover(9)
    expect(await stage.view(id)).toMatchObject({ state: { phase: 'parked' }, attempt: 1, crashes: 1 })
    const other = await stage.worker()
    expect(await other.claimIds()).toEqual([])
    expect((await other.claimOne({ adopt })).attempt).toBe(2)
    await stage.storage.work.end(other.session)
    expect(await stage.view(id)).toMatchObject({ state: { phase: 'parked' }, attempt: 1 })
  })

  test('whoever follows a session gets its jobs back uncharged, unless they were recovered', async () => {
    const stage = new MemoryStage()
    const id = await stage.created()
    const worker = await stage.worker(['mail'], 1_000)
    await worker.claim()
    await stage.storage.work.open({ id: 'next', server: 'server', ttl: 1_000, info: '', replaces: worker.session })
    expect(await stage.view(id)).toMatchObject({ state: { phase: 'ready', reason: 'handed back' }, attempt: 0 })
    await expect(worker.exchange()).rejects.toMatchObject({ code: 'Q_SESSION_LOST' })
    stage.now += 2_000
    const reopened = { id: worker.session, server: 'server', ttl: 1_000, info: '' }
    await expect(stage.storage.work.open({ ...reopened, ttl: 1 })).resolves.toBeUndefined()
  })
})
