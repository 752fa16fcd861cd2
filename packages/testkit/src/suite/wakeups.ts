import assert from 'node:assert/strict'
import type { CreateOutcome, JobStorage, NewJob, Topic, TransactionalStorage } from '@q/core/storage'
import type { Chapter } from './chapter.ts'
import { chapter } from './chapter.ts'
import type { CaseContext } from './context.ts'
import { cancel, child, handBack, idsOf, job, jobs, mail, newId, requeue, retry, states, succeed } from './records.ts'

export const wakeups: Chapter = chapter('Wake-ups, namespaces, start and close', {
  '113 a watcher wakes within 50 ms of a create, or finds the job by polling': {
    alone: true,
    async body(t) {
      const creator = t.another()
      await creator.start()
      if (!t.storage.capabilities.push) {
        await t.created(job())
        assert.equal((await (await t.worker()).claim(1)).length, 1)
        return
      }
      const delays: number[] = []
      for (let round = 0; round < 12; round++) {
        const woken = Promise.withResolvers<number>()
        const watch = await t.storage.wakeups.watch([{ queue: mail }], () => woken.resolve(performance.now()))
        const [outcome] = await creator.jobs.create([job()])
        const from = performance.now()
        assert.equal(outcome?.ok, 'created')
        delays.push((await woken.promise) - from)
        await watch.close()
      }
      const median = delays.toSorted((a, b) => a - b)[6]!
      assert.ok(median <= 50, `half of the wake-ups took more than ${median.toFixed(1)} ms`)
      await everyTopicWakes(t, creator)
    },
  },

  '114 without any notification nothing stalls': async (t) => {
    // Nobody watches here: whatever is lost on the way, asking finds the job.
    const watch = await t.storage.wakeups.watch([{ queue: mail }], () => {})
    await watch.close()
    await watch.close()
    const worker = await t.worker()
    const due = job({ state: states.scheduled, delay: 60 })
    await t.create([job(), due], t.another())
    assert.equal((await worker.claim(1)).length, 1)
    const idle = await worker.exchange({ claim: worker.asking(1) })
    if (idle.claimed.length === 0) {
      assert.ok(idle.nextDue !== undefined, 'an empty claim says when to ask again')
      await t.elapse(Math.max(1, idle.nextDue - idle.now))
      await t.until('the scheduled job is found', async () => {
        await t.settle()
        return (await worker.claim(1)).length === 1
      })
    }
    assert.equal(await t.phase(due.id), 'active')
  },

  '115 inside a transaction of the caller: rolled back, committed, and open, or clearly impossible': async (t) => {
    const { storage } = t
    if (!storage.capabilities.transactionalCreate) {
      assert.equal('within' in storage.jobs, false, 'what a storage cannot do it does not offer')
      return
    }
    const begin = t.scratch.transaction
    assert.ok(begin, 'a storage with transactionalCreate gives the suite a transaction')
    const within = (tx: unknown, list: readonly NewJob[]): Promise<CreateOutcome[]> =>
      (storage as TransactionalStorage<unknown>).jobs.within(tx).create(list)
    const worker = await t.worker()

    const undone = await begin()
    const lost = job({ unique: { key: 'k', until: 'final', conflict: 'skip' } })
    assert.deepEqual(await within(undone.tx, [lost]), [{ ok: 'created' }])
    await undone.rollback()
    assert.equal(await t.phase(lost.id), null)
    assert.deepEqual(await worker.claim(5), [])

    let woken = 0
    const watch = await storage.wakeups.watch([{ queue: mail }], () => woken++)
    const parent = await t.created(job({ queue: 'parents' }))
    const open = await begin()
    const made = [job(), job({ state: states.scheduled, delay: 60_000 }), child(parent), job({ ...lost, id: newId() })]
    const outcomes = await within(open.tx, made)
    assert.deepEqual(
      outcomes.map(({ ok }) => ok),
      ['created', 'created', 'created', 'created'],
    )
    const replacing = job({ unique: { key: 'r', until: 'final', conflict: 'replace' } })
    assert.equal((await within(open.tx, [replacing]))[0]?.ok, 'invalid', 'replace would lock another job')
    if (storage.capabilities.multiHost) {
      // Nobody waits for the open transaction: neither claims, nor the end of the parent of a job in it.
      const parents = await t.worker({ queues: ['parents'] })
      await parents.done(succeed(await parents.claimOne()))
      assert.deepEqual(await worker.claim(5), [])
      await t.created(job({ queue: 'others' }))
    }
    await open.commit()
    if (storage.capabilities.push) await t.until('the commit wakes', async () => woken > 0)
    await watch.close()
    assert.deepEqual(idsOf(await worker.claim(2)), [made[0]!.id, made[3]!.id])
    if (!storage.capabilities.multiHost) {
      const parents = await t.worker({ queues: ['parents'] })
      await parents.done(succeed(await parents.claimOne()))
    }
    await t.until('the edge is decided', async () => {
      await t.settle()
      return (await t.phase(made[2]!.id)) === 'ready'
    })
  },

  '116 namespaces never see each other': async (t) => {
    const other = t.elsewhere()
    const made = job({ unique: { key: 'u', until: 'final', conflict: 'skip' }, gates: [{ key: 'g', limit: 1 }] })
    await t.create([made])
    const twin = { ...made, payload: 'elsewhere' }
    assert.deepEqual(await other.jobs.create([twin]), [{ ok: 'created' }])
    let woken = 0
    const watch = await other.wakeups.watch([{ queue: 'quiet' }], () => woken++)
    await t.storage.queues.set(mail, { maxActive: 1 })
    assert.ok(await t.storage.locks.acquire('l', 'a', 60_000))
    assert.ok(await other.locks.acquire('l', 'b', 60_000))
    const here = await t.worker()
    const there = await t.worker({ storage: other })
    const claimed = await here.claimOne()
    assert.equal((await there.claimOne()).payload, 'elsewhere')
    await here.done(succeed(claimed))
    await t.create(jobs(3, () => ({ queue: 'quiet' })))
    const [twinView] = await other.monitor.get([made.id])
    assert.equal(twinView?.state.phase, 'active')
    assert.equal((await other.monitor.counts()).byPhase.ready, 0)
    assert.deepEqual(
      (await other.monitor.list({}, { limit: 10 })).items.map(({ id }) => id),
      [made.id],
    )
    assert.ok((await other.monitor.sessions()).every(({ id }) => id === there.session))
    assert.deepEqual(await t.storage.work.heartbeat([there.session]).then(([beat]) => beat?.alive), false)
    assert.equal((await other.upkeep.recover(10)).sessions.length, 0)
    assert.deepEqual(
      (await other.monitor.queues()).filter(({ maxActive }) => maxActive != null),
      [],
    )
    await watch.close()
    assert.equal(woken, 0)
  },

  '117 to start twice, at once and from five processes, makes one schema': {
    cold: true,
    async body(t) {
      const instances = [t.storage, t.another(), t.another(), t.another()]
      const children = Promise.all([1, 2, 3, 4, 5].map(() => t.child()))
      await Promise.all(instances.flatMap((storage) => [storage.start(), storage.start()]))
      const processes = await children
      await t.storage.start()
      const all = [...instances, ...processes.flatMap((process) => process?.storage ?? [])]
      const made = jobs(all.length)
      await Promise.all(all.map((storage, index) => t.create([made[index]!], storage)))
      for (const storage of all) {
        const views = await storage.monitor.get(idsOf(made))
        assert.ok(views.every((view) => view?.state.phase === 'ready'))
      }
      const unstarted = t.another()
      assert.equal((await unstarted.monitor.get([made[0]!.id]))[0]?.id, made[0]!.id, 'every method starts it')
    },
  },

  '118 `close` waits for calls in flight, and later ones are refused': async (t) => {
    const storage = t.scratch.another ? t.another() : t.elsewhere()
    await storage.start()
    const made = Array.from({ length: 10 }, () => jobs(20))
    const calls = made.map((part) => storage.jobs.create(part))
    let answered = 0
    for (const call of calls) void call.then(() => answered++)
    await storage.close()
    for (const outcomes of await Promise.all(calls)) assert.ok(outcomes.every(({ ok }) => ok === 'created'))
    assert.equal(answered, calls.length)
    await storage.close()
    await assert.rejects(storage.jobs.create([job()]), { code: 'Q_STORAGE_UNAVAILABLE' })
    await assert.rejects(storage.start(), { code: 'Q_STORAGE_UNAVAILABLE' })
    if (t.scratch.another) {
      const phases = await t.phases(idsOf(made.flat()))
      assert.ok(phases.every((phase) => phase === 'ready'))
    }
  },
})

async function everyTopicWakes(t: CaseContext, actor: JobStorage): Promise<void> {
  const wakes = async (topics: readonly Topic[], act: () => Promise<unknown>): Promise<void> => {
    let woken = 0
    const watch = await t.storage.wakeups.watch(topics, () => woken++)
    await act()
    await t.until(`a watcher of ${JSON.stringify(topics)} wakes`, async () => woken > 0)
    await watch.close()
  }
  const queue = 'topics'
  const worker = await t.worker({ storage: actor, queues: [queue] })
  const id = await t.created(job({ queue }))
  await wakes([{ job: id }], () => worker.claim(1))
  const claimed = async () => (await t.view(id)).state.phase === 'active'
  assert.equal(await claimed(), true)
  const token = `${worker.session}.${worker.call}`
  await wakes([{ job: id }], () => worker.exchange({ notes: [{ id, token, progress: '0.5' }] }))
  await wakes([{ job: id }], () => worker.exchange({ notes: [{ id, token, log: { from: 1, lines: ['x'] } }] }))
  await wakes([{ session: worker.session }], () => actor.jobs.apply([cancel(id)]))
  await wakes([{ job: id }], () => worker.exchange({ apply: [{ id, token, to: states.succeeded }] }))
  await wakes([{ queue }], () => actor.jobs.apply([requeue(id)]))
  const again = await worker.claimOne()
  await wakes([{ queue: 'nobody' }, { queue }], () => worker.done(handBack(again)))
  const once = await worker.claimOne()
  await wakes([{ queue }], () => worker.done(retry(once, 60_000)))
  await wakes([{ queue }], () => t.create([job({ queue, state: states.scheduled, delay: 60_000 })], actor))
  await actor.queues.set(queue, { paused: { at: 0 } })
  await wakes([{ queue }], () => actor.queues.set(queue, { paused: null }))
  await wakes([{ names: true }], () => t.create([job({ queue: 'never seen before' })], actor))
  const record = { id: 'nightly', spec: 'every 1d', job: job(), nextAt: (await t.now()) + 60_000 }
  await wakes([{ schedules: true }], () => actor.recurring.put([record]))
  await wakes([{ schedules: true }], () => actor.recurring.put([{ ...record, spec: 'every 2d' }]))
  await wakes([{ schedules: true }], () => actor.recurring.remove([{ id: record.id }]))
}
