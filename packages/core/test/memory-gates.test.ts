import { describe, expect, test } from 'vitest'
import type { Gate } from '../src/storage/index.ts'
import { MemoryStage, states } from './memory-stage.ts'

const printer: Gate = { key: 'printer', limit: 1 }

describe('gates of the memory storage', () => {
  test('eight of a thousand waiting queues are woken for one slot, and the next eight at the next look', async () => {
    const stage = new MemoryStage()
    const queues = Array.from({ length: 1_000 }, (_, n) => `queue-${n}`)
    const worker = await stage.worker(['first', ...queues])
    await stage.created({ queue: 'first', gates: [printer] })
    const held = await worker.claimOne()
    await stage.create(...queues.map((queue) => stage.job({ queue, gates: [printer] })))
    expect(await worker.claim(1_000)).toEqual([])
    expect(await worker.claim(1_000)).toEqual([])
    const woken: string[] = []
    for (const queue of queues) await stage.storage.wakeups.watch([{ queue }], () => void woken.push(queue))
    await worker.end(held)
    await Promise.resolve()
    expect(woken).toEqual(queues.slice(0, 8))
    await stage.storage.upkeep.promote(500)
    await Promise.resolve()
    expect(woken).toEqual(queues.slice(0, 16))
    expect(await worker.claimIds(1_000)).toHaveLength(1)
  })

  test('no paused queue keeps the others asleep', async () => {
    const stage = new MemoryStage()
    const deaf = Array.from({ length: 30 }, (_, n) => `deaf-${n}`)
    const worker = await stage.worker(['mail', ...deaf])
    await stage.created({ gates: [printer] })
    const held = await worker.claimOne()
    for (const queue of deaf) await stage.created({ queue, gates: [printer] })
    const waiting = await stage.created({ gates: [printer] })
    expect(await worker.claim(100)).toEqual([])
    for (const queue of deaf) await stage.storage.queues.set(queue, { paused: { at: stage.now } })
    await worker.end(held)
    const found: string[] = []
    for (let round = 0; round < 5 && found.length === 0; round++) {
      await stage.storage.upkeep.promote(500)
      found.push(...(await worker.claimIds()))
    }
    expect(found).toEqual([waiting])
  })

  test('a waiter comes back to its old place, before what was created later', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    await stage.created({ gates: [printer] })
    const held = await worker.claimOne()
    const waiter = await stage.created({ gates: [printer] })
    const plain = await stage.created()
    expect(await worker.claimIds(1)).toEqual([plain])
    const later = await stage.created()
    await worker.end(held)
    expect(await worker.claimIds(5)).toEqual([waiter, later])
  })

  test('an offered waiter that is deleted leaves its offer to the next one', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    await stage.created({ gates: [printer] })
    const held = await worker.claimOne()
    const first = await stage.created({ gates: [printer] })
    const second = await stage.created({ gates: [printer] })
    expect(await worker.claim(5)).toEqual([])
    await worker.end(held)
    expect(await stage.command(first, states.deleted)).toMatchObject({ ok: 'applied' })
    expect(await worker.claimIds(5)).toEqual([second])
  })

  test('a waiter that is deleted in its sleep leaves nothing behind', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    await stage.created({ gates: [printer] })
    const held = await worker.claimOne()
    const first = await stage.created({ gates: [printer] })
    const second = await stage.created({ gates: [printer] })
    expect(await worker.claim(5)).toEqual([])
    await stage.command(first, states.deleted)
    await worker.end(held)
    expect(await worker.claimIds(5)).toEqual([second])
  })

  test('whoever has room by its own limit is woken, though an older waiter has none', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const wide: Gate = { key: 'printer', limit: 2 }
    await stage.create(stage.job({ gates: [wide] }), stage.job({ gates: [wide] }))
    const [one] = await worker.claim(2)
    const narrow = await stage.created({ gates: [printer] })
    const other = await stage.created({ gates: [wide] })
    expect(await worker.claim(5)).toEqual([])
    await worker.end(one!)
    expect(await worker.claimIds(5)).toEqual([other])
    expect(await stage.phase(narrow)).toBe('ready')
  })

  test('gates are taken all or none, and a job that sleeps at one lets others through the rest', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const ink: Gate = { key: 'ink', limit: 1 }
    await stage.created({ gates: [printer] })
    const held = await worker.claimOne()
    const both = await stage.created({ gates: [printer, ink] })
    const inkOnly = await stage.created({ gates: [ink] })
    expect(await worker.claimIds(5)).toEqual([inkOnly])
    await worker.end(held)
    expect(await worker.claimIds(5)).toEqual([])
    const standing = await stage.storage.monitor.standing(both)
    expect(standing?.gates).toEqual([
      { key: 'ink', limit: 1, used: 1, holders: [inkOnly] },
      { key: 'printer', limit: 1, used: 0, holders: [] },
    ])
  })

  test('a gate that tells hands the job out busy, holding nothing', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const first = await stage.created({ gates: [printer] })
    const held = await worker.claimOne()
    const second = await stage.created({ gates: [{ ...printer, busy: 'tell' }] })
    const busy = await worker.claimOne()
    expect([busy.id, busy.attempt, busy.busy]).toEqual([second, 1, { key: 'printer', holder: first }])
    await worker.end(held)
    const third = await stage.created({ gates: [printer] })
    expect(await worker.claimIds()).toEqual([third])
    await worker.end(busy, states.enqueued, { attempt: 'undo' })
    expect((await stage.view(second)).attempt).toBe(0)
  })

  test('a rate lets its bucket through, then one job for each token, in order, and says when the next one comes', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const gates = [{ key: 'api', rate: { max: 3, per: 1_000 } }]
    const ids = (await stage.create(...Array.from({ length: 7 }, () => stage.job({ gates })))).map((_, n) => n)
    const taken = new Map<string, number>()
    const from = stage.now
    while (taken.size < ids.length) {
      const { claimed, nextDue } = await worker.exchange({ claim: worker.asking(10) })
      for (const { id } of claimed) taken.set(id, stage.now - from)
      if (taken.size === ids.length) break
      expect(nextDue).toBeGreaterThan(stage.now)
      stage.now = nextDue!
    }
    expect([...taken.keys()]).toEqual([...taken.keys()].toSorted())
    expect([...taken.values()]).toEqual([0, 0, 0, 334, 667, 1_000, 1_334])
  })

  test('a parked job at a shut gate stays parked', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const parked = await stage.created({ gates: [printer] })
    const unknown = await worker.claimOne()
    await worker.end(unknown, { name: 'enqueued', phase: 'parked' }, { attempt: 'undo', parkedFor: 'send@1' })
    await stage.created({ gates: [printer] })
    const held = await worker.claimOne()
    expect(await worker.claimIds(5, { adopt: ['send@1'] })).toEqual([])
    expect(await stage.phase(parked)).toBe('parked')
    await worker.end(held)
    expect(await worker.claimIds(5, { adopt: ['send@1'] })).toEqual([parked])
  })
})
