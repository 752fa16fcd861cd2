import assert from 'node:assert/strict'
import type { FinalPhase, JobId, NewJob, Phase } from '@q/core/storage'
import type { Chapter } from './chapter.ts'
import { chapter } from './chapter.ts'
import type { CaseContext } from './context.ts'
import { child, command, fail, idsOf, job, jobs, newId, remove, requeue, retry, states, succeed } from './records.ts'

export const edges: Chapter = chapter('Edges', {
  '71 a child waits, and is released by the success of its parent': async (t) => {
    const parent = await t.created(job())
    const plain = child(parent)
    const later = child(parent, { delay: 60_000, then: states.scheduled })
    const named = child(parent, { then: { name: 'stage two', phase: 'ready', reason: 'stage one is done' } })
    await t.create([plain, later, named])
    assert.deepEqual(await t.phases(idsOf([plain, later, named])), ['awaiting', 'awaiting', 'awaiting'])
    assert.deepEqual((await t.view(plain.id)).parents, [{ id: parent, phase: 'ready' }])
    assert.equal((await t.view(parent)).children, 3)
    const worker = await t.worker()
    const [claimed, ...none] = await worker.claim(10)
    assert.deepEqual(none, [])
    await worker.done(retry(claimed!))
    assert.equal(await t.phase(plain.id), 'awaiting', 'a retry is no end')

    const again = await worker.claimOne()
    const [outcome] = await worker.apply(succeed(again))
    assert.deepEqual(outcome, { ok: 'applied', released: 3 })
    assert.deepEqual(await t.phases(idsOf([plain, later, named])), ['ready', 'scheduled', 'ready'])
    const view = await t.view(plain.id)
    assert.equal(view.state.name, 'enqueued')
    assert.equal(view.state.reason, `parent ${parent} succeeded`)
    assert.equal((await t.view(named.id)).state.name, 'stage two')
    const delayed = await t.view(later.id)
    assert.equal(delayed.dueAt, delayed.state.at + 60_000, 'a delay counts from the release')
    assert.deepEqual(idsOf(await worker.claim(10)).toSorted(), idsOf([plain, named]).toSorted())
  },

  '72 an edge is met by the ends it names, and by no other': async (t) => {
    const masks: FinalPhase[][] = [
      ['succeeded'],
      ['failed'],
      ['deleted'],
      ['succeeded', 'failed'],
      ['failed', 'deleted'],
      ['succeeded', 'failed', 'deleted'],
    ]
    for (const end of ['succeeded', 'failed', 'deleted'] as const) {
      const parent = await t.created(job())
      const children = masks.map((on) => child(parent, { queue: 'children' }, on))
      await t.create(children)
      const worker = await t.worker()
      await worker.done(succeed(await worker.claimOne(), { to: states[end] }))
      await t.settle()
      const expected = masks.map((on): Phase =>
        on.includes(end) ? 'ready' : end === 'failed' ? 'awaiting' : 'deleted',
      )
      assert.deepEqual(await t.phases(idsOf(children)), expected, `the parent ${end}`)
    }
  },

  '73 deleted and succeeded are ends for every child, failed only for those that name it': async (t) => {
    const [gone, done, failed] = await t.create(jobs(3))
    const wantsSuccess = child(gone!, { queue: 'children' })
    const wantsFailure = child(done!, { queue: 'children' }, ['failed'])
    const patient = child(failed!, { queue: 'children' })
    await t.create([wantsSuccess, wantsFailure, patient])
    const worker = await t.worker()
    const [first, second, third] = await worker.claim(3)
    await worker.done(succeed(first!, { to: states.deleted }), succeed(second!), fail(third!))
    await t.settle()
    assert.deepEqual(await t.phases(idsOf([wantsSuccess, wantsFailure, patient])), ['deleted', 'deleted', 'awaiting'])
    assert.equal((await t.view(wantsSuccess.id)).state.reason, `parent ${gone} deleted`)
    assert.equal((await t.view(wantsFailure.id)).state.reason, `parent ${done} succeeded`)
    await t.apply(requeue(failed!))
    assert.equal(await t.phase(patient.id), 'awaiting')
    await worker.done(succeed(await worker.claimOne()))
    await t.settle()
    assert.equal(await t.phase(patient.id), 'ready')
  },

  '74 three parents release their child once, in whatever order they end': async (t) => {
    const orders = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ]
    const worker = await t.worker()
    for (const order of orders) {
      const parents = await t.create(jobs(3))
      const waiting = await t.created(child(parents, { queue: 'children' }))
      const claimed = await worker.claim(3)
      for (const [step, index] of order.entries()) {
        assert.equal(await t.phase(waiting), 'awaiting')
        const [outcome] = await worker.apply(succeed(claimed[index]!))
        assert.deepEqual(outcome, { ok: 'applied', released: step === 2 ? 1 : 0 })
      }
      assert.equal(await t.phase(waiting), 'ready')
    }
    const parents = await t.create(jobs(3))
    const waiting = await t.created(child(parents, { queue: 'children' }))
    const claimed = await worker.claim(3)
    await Promise.all(
      claimed.map(async (found) => {
        const own = await t.worker({ storage: t.another() })
        await own.done(succeed(found))
      }),
    )
    await t.settle()
    assert.deepEqual(
      (await t.history(waiting)).map(({ phase }) => phase),
      ['awaiting', 'ready'],
      'also when they end at once',
    )
  },

  '75 under a parent that has ended already the decision falls at once': async (t) => {
    const [done, failed, gone] = await t.create(jobs(3))
    const worker = await t.worker()
    const [first, second, third] = await worker.claim(3)
    await worker.done(succeed(first!), fail(second!), succeed(third!, { to: states.deleted }))
    const made = [
      child(done!),
      child(done!, {}, ['failed']),
      child(failed!),
      child(failed!, {}, ['failed']),
      child(gone!),
      child(gone!, {}, ['deleted']),
      child([done!, failed!]),
      child(done!, { delay: 60_000, then: states.scheduled }),
    ]
    await t.create(made)
    await t.settle()
    const expected: Phase[] = ['ready', 'deleted', 'awaiting', 'ready', 'deleted', 'ready', 'awaiting', 'scheduled']
    assert.deepEqual(await t.phases(idsOf(made)), expected)
    await t.apply(requeue(failed!))
    const redone = (await worker.claim(10)).find(({ id }) => id === failed)
    await worker.done(succeed(redone!))
    await t.settle()
    assert.deepEqual(await t.phases([made[2]!.id, made[6]!.id]), ['ready', 'ready'])
  },

  '76 under an unknown parent nothing is stored': async (t) => {
    const unknown = newId()
    const orphan = child(unknown)
    const met = job({
      state: states.awaiting,
      after: [{ parent: unknown, on: ['succeeded'], missing: 'met' }],
    })
    const parent = await t.created(job())
    const both = child([parent, unknown])
    const outcomes = await t.storage.jobs.create([orphan, met, both])
    assert.deepEqual(outcomes[0], { ok: 'orphan', missing: unknown })
    assert.equal(outcomes[1]?.ok, 'created', 'unless a parent that is gone counts as met')
    assert.deepEqual(outcomes[2], { ok: 'orphan', missing: unknown })
    assert.deepEqual(await t.phases(idsOf([orphan, met, both])), [null, 'ready', null])
    assert.equal((await t.view(parent)).children, 0)
  },

  '77 no child is stuck when its parent finishes while it is created': async (t) => {
    const rounds = t.size(120, 10_000)
    const worker = await t.worker()
    const creator = t.another()
    const children: NewJob[] = []
    for (let round = 0; round < rounds; round++) {
      await t.created(job())
      const claimed = await worker.claimOne()
      const made = child(claimed.id, { queue: 'children' })
      children.push(made)
      const finish = () => worker.done(succeed(claimed))
      const create = () => t.create([made], creator)
      await Promise.all(round % 2 === 0 ? [finish(), create()] : [create(), finish()])
    }
    await t.settle()
    const phases = await t.phases(idsOf(children))
    assert.equal(phases.filter((phase) => phase !== 'ready').length, 0, 'every child is ready')
  },

  '78 parent and child may come in one call, in either order': async (t) => {
    const [a, b] = jobs(2)
    const outcomes = await t.storage.jobs.create([a!, child(a!.id, { tags: ['of a'] }), child(b!.id), b!])
    assert.deepEqual(
      outcomes.map(({ ok }) => ok),
      ['created', 'created', 'created', 'created'],
    )
    const bad = job({ priority: -1 })
    const broken = await t.storage.jobs.create([child(bad.id), bad])
    assert.deepEqual(broken[0], { ok: 'orphan', missing: bad.id })
    assert.equal(broken[1]?.ok, 'invalid')

    const [x, y] = jobs(2)
    const cycle = [x!, y!].map((one, index) => ({
      ...one,
      state: states.awaiting,
      after: [{ parent: (index === 0 ? y! : x!).id, on: ['succeeded'] as const }],
    }))
    const refused = await t.storage.jobs.create([...cycle, job({ tags: ['neighbour'] })])
    assert.deepEqual(
      refused.map(({ ok }) => ok),
      ['invalid', 'invalid', 'created'],
      'no cycle can be made',
    )
    assert.ok(refused[0]?.ok === 'invalid' && refused[0].reason.includes(y!.id), 'the reason names the path')

    await t.create([y!])
    assert.deepEqual(
      (await t.storage.jobs.create(cycle)).map(({ ok }) => ok),
      ['created', 'exists'],
      'one that is stored already waits for nobody, so the others do not go in a circle',
    )
  },

  '79 a chain runs link by link': async (t) => {
    const length = t.size(150, 1_000)
    const chain: NewJob[] = []
    for (let n = 0; n < length; n++) chain.push(n === 0 ? job() : child(chain[n - 1]!.id))
    await t.create(chain)
    const worker = await t.worker()
    let reply = await worker.exchange({ claim: worker.asking(5) })
    for (const link of chain) {
      assert.deepEqual(idsOf(reply.claimed), [link.id])
      reply = await worker.exchange({ apply: [succeed(reply.claimed[0]!)], claim: worker.asking(5) })
    }
    assert.deepEqual(reply.claimed, [])
    assert.equal((await t.storage.monitor.counts()).byPhase.succeeded, length)
  },

  '80 a fan-out beyond one step is owed, and forgotten by nobody': async (t) => {
    const parent = await t.created(job())
    const children = Array.from({ length: t.size(1_300, 10_000) }, () => child(parent, { queue: 'children' }))
    await t.create(children)
    const process = await t.child()
    const worker = await t.worker({ storage: process?.storage })
    const [outcome] = await worker.apply(succeed(await worker.claimOne()))
    assert.ok(outcome?.ok === 'applied')
    assert.ok(outcome.released <= 500, `${outcome.released} in the step`)
    // Whoever owed the rest is gone now.
    await process?.kill()
    const other = t.another()
    const step = await other.upkeep.promote(100)
    assert.ok(step.moved <= 100)
    assert.equal(step.again, true)
    assert.ok(step.nextDue === undefined || step.nextDue <= (await t.now()), 'owed work is due now')
    await t.settle(other)
    const phases = await t.phases(idsOf(children))
    assert.equal(phases.filter((phase) => phase !== 'ready').length, 0)
    const claimed = await (await t.worker({ queues: ['children'] })).claimAll()
    assert.deepEqual(idsOf(claimed).toSorted(), idsOf(children).toSorted())
  },

  '81 deleting a waiting child leaves its parent free': async (t) => {
    const parent = await t.created(job())
    const [first, second] = [child(parent), child(parent)]
    await t.create([first, second])
    assert.equal((await t.applyOne(remove(first.id))).ok, 'applied')
    const worker = await t.worker()
    const [outcome] = await worker.apply(succeed(await worker.claimOne()))
    assert.deepEqual(outcome, { ok: 'applied', released: 1 })
    await t.settle()
    assert.deepEqual(await t.phases([parent, first.id, second.id]), ['succeeded', 'deleted', 'ready'])
  },

  '82 a child whose edge is unmet is itself a parent': async (t) => {
    const root = await t.created(job())
    const middle = child(root)
    const leaf = child(middle.id)
    const comfort = child(middle.id, {}, ['deleted'])
    await t.create([middle, leaf, comfort])
    assert.equal((await t.applyOne(remove(root))).ok, 'applied')
    await t.settle()
    assert.deepEqual(await t.phases(idsOf([middle, leaf, comfort])), ['deleted', 'deleted', 'ready'])
    assert.equal((await t.view(leaf.id)).state.reason, `parent ${middle.id} deleted`)
  },

  '83 a long cascade of deletions settles': async (t) => {
    const length = t.size(600, 1_000)
    const chain: NewJob[] = []
    for (let n = 0; n < length; n++) chain.push(n === 0 ? job() : child(chain[n - 1]!.id))
    await t.create(chain)
    assert.equal((await t.applyOne(remove(chain[0]!.id))).ok, 'applied')
    await t.settle(t.another(), 50)
    const phases = await t.phases(idsOf(chain))
    assert.equal(phases.filter((phase) => phase !== 'deleted').length, 0)
    assert.equal((await t.storage.monitor.counts()).byPhase.awaiting, 0)
  },

  '84 a child attached while its parent ends in any way is decided once': async (t) => {
    const worker = await t.worker()
    const creator = t.another()
    const rounds = t.size(12, 300)
    for (const way of ['succeeded', 'failed', 'deleted', 'requeued'] as const) {
      for (let round = 0; round < rounds; round++) {
        const id = await t.created(job())
        const claimed = await worker.claimOne()
        const made = child(id, { queue: 'children' })
        const end = async (): Promise<void> => {
          if (way !== 'requeued') return worker.done(succeed(claimed, { to: states[way] }))
          await worker.done(fail(claimed))
          await t.apply(requeue(id))
          await worker.done(succeed(await worker.claimOne()))
        }
        const create = () => t.create([made], creator)
        await Promise.all(round % 2 === 0 ? [end(), create()] : [create(), end()])
        await t.settle()
        const decided = await phasesOf(t, made.id)
        const expected = { succeeded: 'ready', failed: null, deleted: 'deleted', requeued: 'ready' }[way]
        // Created under a parent that had ended, it may start where the decision leads.
        if (expected === null) assert.deepEqual(decided, ['awaiting'])
        else
          assert.deepEqual(
            decided.filter((phase) => phase !== 'awaiting'),
            [expected],
            way,
          )
      }
    }
  },

  '85 to leave `awaiting` by command drops the edges that are left': async (t) => {
    const [a, b] = await t.create(jobs(2))
    const made = await t.created(child([a!, b!], { queue: 'children' }))
    assert.equal((await t.applyOne(command(made, ['awaiting'], states.enqueued))).ok, 'applied')
    const own = await t.worker({ queues: ['children'] })
    await own.done(succeed(await own.claimOne()))
    const worker = await t.worker()
    const [first, second] = await worker.claim(2)
    await worker.done(succeed(first!), succeed(second!, { to: states.deleted }))
    await t.settle()
    assert.equal(await t.phase(made), 'succeeded')
    assert.deepEqual(await own.claim(5), [])
  },
})

async function phasesOf(t: CaseContext, id: JobId): Promise<Phase[]> {
  return (await t.history(id)).map(({ phase }) => phase)
}
