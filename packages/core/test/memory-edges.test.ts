import { describe, expect, test } from 'vitest'
import { MemoryStage, idOf, states } from './memory-stage.ts'

describe('edges of the memory storage', () => {
  test('five hundred children are released with their parent, the others are owed and due now', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const parent = await stage.created()
    const after = [{ parent, on: ['succeeded' as const] }]
    await stage.create(...Array.from({ length: 900 }, () => stage.job({ state: states.awaiting, after })))
    const outcome = await worker.end(await worker.claimOne())
    expect(outcome).toEqual({ ok: 'applied', released: 500 })
    expect((await stage.storage.monitor.counts()).byPhase).toMatchObject({ ready: 500, awaiting: 400 })
    expect(await stage.storage.upkeep.promote(150)).toEqual({ moved: 150, again: true, nextDue: stage.now })
    expect(await stage.storage.upkeep.promote(250)).toEqual({ moved: 250, again: false })
    expect((await stage.storage.monitor.counts()).byPhase).toMatchObject({ ready: 900, awaiting: 0 })
  })

  test('the oldest end decides, also for the children it still owes', async () => {
    const stage = new MemoryStage()
    const parent = await stage.created()
    const after = [{ parent, on: ['succeeded' as const] }]
    await stage.create(
      ...Array.from({ length: 600 }, () => stage.job({ state: states.awaiting, after, keep: { deleted: null } })),
    )
    await stage.command(parent, states.deleted)
    await stage.command(parent, states.enqueued)
    const attached = await stage.child(parent)
    const worker = await stage.worker()
    expect(await worker.end(await worker.claimOne())).toEqual({ ok: 'applied', released: 1 })
    await stage.storage.upkeep.promote(500)
    expect((await stage.storage.monitor.counts()).byPhase).toMatchObject({ deleted: 600, ready: 1 })
    expect(await stage.phase(attached)).toBe('ready')
  })

  test('a failed parent leaves its children waiting until it succeeds after all', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const parent = await stage.created()
    const [patient, sorry] = [
      await stage.child(parent),
      await stage.child(parent, { after: [{ parent, on: ['failed'] }] }),
    ]
    expect(await worker.end(await worker.claimOne(), states.failed)).toEqual({ ok: 'applied', released: 1 })
    expect([await stage.phase(patient), await stage.phase(sorry)]).toEqual(['awaiting', 'ready'])
    const late = await stage.child(parent)
    expect(await stage.phase(late)).toBe('awaiting')
    await stage.command(parent, states.enqueued, { priority: 0 })
    expect(await worker.end(await worker.claimOne())).toEqual({ ok: 'applied', released: 2 })
  })

  test('a failed parent whose time is over is deleted first, which decides for its children', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const parent = await stage.created({ keep: { failed: 1_000, deleted: 500 } })
    const child = await stage.child(parent, { keep: { deleted: null } })
    await worker.end(await worker.claimOne(), states.failed)
    stage.now += 1_000
    expect(await stage.storage.upkeep.sweep(10)).toEqual({ removed: 0, again: false })
    expect(await stage.story(child)).toEqual(['awaiting', `deleted: parent ${parent} deleted`])
    expect((await stage.story(parent)).at(-1)).toBe('deleted: its retention ended')
    stage.now += 500
    expect(await stage.storage.upkeep.sweep(10)).toEqual({ removed: 1, again: false })
    expect((await stage.view(child)).parents).toEqual([{ id: parent, phase: 'gone' }])
  })

  test('a chain of a thousand deletions settles, step by step', async () => {
    const stage = new MemoryStage()
    const first = await stage.created()
    const chain = Array.from({ length: 999 }, (_, n) =>
      stage.job({ state: states.awaiting, after: [{ parent: idOf(n + 1), on: ['succeeded'] }] }),
    )
    await stage.create(...chain)
    await stage.command(first, states.deleted)
    expect((await stage.storage.monitor.counts()).byPhase.deleted).toBe(501)
    while ((await stage.storage.upkeep.promote(100)).again);
    expect((await stage.storage.monitor.counts()).byPhase.deleted).toBe(1_000)
  })

  test('a child may stand before its parents in one list, and its parents keep their order', async () => {
    const stage = new MemoryStage()
    const [child, ...parents] = [stage.job(), stage.job(), stage.job(), stage.job()]
    const after = parents.map(({ id }) => ({ parent: id, on: ['succeeded' as const] }))
    const outcomes = await stage.create({ ...child!, state: states.awaiting, after }, ...parents)
    expect(outcomes.map(({ ok }) => ok)).toEqual(['created', 'created', 'created', 'created'])
    expect(await (await stage.worker()).claimIds(9)).toEqual(parents.map(({ id }) => id))
  })

  test('jobs of one list that wait for each other are refused by name, and their neighbours are stored', async () => {
    const stage = new MemoryStage()
    const [a, b, bystander] = [stage.job(), stage.job(), stage.job()]
    const outcomes = await stage.create(
      { ...a, state: states.awaiting, after: [{ parent: b.id, on: ['succeeded'] }] },
      { ...b, state: states.awaiting, after: [{ parent: a.id, on: ['succeeded'] }] },
      bystander,
    )
    expect(outcomes.map(({ ok }) => ok)).toEqual(['invalid', 'invalid', 'created'])
    expect(outcomes[0]).toHaveProperty('reason', expect.stringContaining(`${a.id} → ${b.id} → ${a.id}`))
  })

  test('a child of a job that was refused is an orphan, unless a missing parent is as good as met', async () => {
    const stage = new MemoryStage()
    const parent = stage.job({ priority: -1 })
    const edge = { parent: parent.id, on: ['succeeded' as const] }
    const outcomes = await stage.create(
      stage.job({ state: states.awaiting, after: [edge] }),
      parent,
      stage.job({ state: states.awaiting, after: [{ ...edge, missing: 'met' }] }),
    )
    expect(outcomes).toMatchObject([{ ok: 'orphan', missing: parent.id }, { ok: 'invalid' }, { ok: 'created' }])
    expect(await stage.story(idOf(3))).toEqual(['awaiting', `enqueued: parent ${parent.id} is gone`])
  })

  test('a release may be delayed, counted from the release', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const parent = await stage.created()
    const child = await stage.child(parent, { then: states.scheduled, delay: 300 })
    stage.now += 5_000
    await worker.end(await worker.claimOne())
    expect(await stage.view(child)).toMatchObject({ state: { phase: 'scheduled' }, dueAt: stage.now + 300 })
  })

  test('a stub answers for a removed job for two minutes', async () => {
    const stage = new MemoryStage()
    const worker = await stage.worker()
    const job = stage.job({ keep: { succeeded: 0, deleted: 0 } })
    await stage.create(job)
    const run = await worker.claimOne()
    await worker.end(run)
    const removed = await stage.created({ keep: { deleted: 0 } })
    const remove = { command: 'remove it' }
    await stage.command(removed, states.deleted, remove)
    expect((await stage.storage.upkeep.sweep(10)).removed).toBe(2)
    expect(await stage.storage.monitor.get([job.id])).toEqual([null])
    stage.now += 119_999
    await stage.storage.upkeep.sweep(10)
    expect(await stage.create(job)).toEqual([{ ok: 'exists' }])
    expect(await worker.end(run)).toEqual({ ok: 'stale' })
    expect(await stage.command(removed, states.deleted, remove)).toEqual({ ok: 'already' })
    stage.now += 1
    expect(await worker.end(run)).toEqual({ ok: 'missing' })
    expect(await stage.create(job)).toEqual([{ ok: 'created' }])
  })
})
