import assert from 'node:assert/strict'
import type { JobId } from '@q/core/storage'
import { shiftClock } from '../faults/shift-clock.ts'
import type { Chapter } from './chapter.ts'
import { chapter } from './chapter.ts'
import { child, command, fail, idsOf, job, jobs, newId, requeue, states, succeed } from './records.ts'
import { TestWorker } from './worker.ts'

const hourMs = 3_600_000

export const retention: Chapter = chapter('Time, retention, bulk', {
  '101 the clock of an application decides nothing': {
    alone: true,
    async body(t) {
      for (const shiftMs of [hourMs, -hourMs]) {
        const process = await t.child({ clockShiftMs: shiftMs })
        const storage = process?.storage ?? t.another()
        const restore = process ? () => {} : shiftClock(shiftMs)
        try {
          const queue = newId()
          const before = await t.now()
          const [soon, later, expiring] = await t.create(
            [
              job({ queue, state: states.scheduled, delay: 60 }),
              job({ queue, state: states.scheduled, delay: 600_000 }),
              job({ queue, expires: 600_000 }),
            ],
            storage,
          )
          const worker = await t.worker({ storage, ttl: 60_000, queues: [queue] })
          const claimed = await t.until('what is due is claimed', async () => {
            await storage.upkeep.promote(100)
            const found = await worker.claim(10)
            return found.find(({ id }) => id === soon) ?? null
          })
          assert.equal(await t.phase(expiring!), 'active', 'it has not expired')
          assert.equal(await t.phase(later!), 'scheduled', 'it is not due')
          const after = await t.now()
          const view = await t.view(later!)
          assert.ok(view.dueAt! >= before + 600_000 && view.dueAt! <= after + 600_000, 'due by the storage clock')
          assert.ok(claimed.claimedAt - claimed.createdAt >= 60)
          assert.deepEqual((await storage.upkeep.recover(100)).jobs, [])
          assert.deepEqual((await t.storage.upkeep.recover(100)).jobs, [])
          const beats = await t.storage.work.heartbeat([worker.session])
          assert.equal(beats[0]?.alive, true)
          const lock = await storage.locks.acquire(queue, 'owner', 60_000)
          assert.equal(await t.storage.locks.acquire(queue, 'other', 60_000), null)
          assert.ok(lock!.expiresAt >= before + 60_000 && lock!.expiresAt <= (await t.now()) + 60_000)
          await worker.done(succeed(claimed))
          assert.equal((await storage.upkeep.sweep(100)).removed, 0)
        } finally {
          restore()
        }
      }
    },
  },

  '102 due jobs are promoted once, however many promote': async (t) => {
    const now = await t.now()
    const made = jobs(t.size(300, 5_000), (index) => ({ state: states.scheduled, at: now + 40 + (index % 5) }))
    await t.create(made)
    const far = await t.create(jobs(3, () => ({ state: states.scheduled, delay: hourMs })))
    await t.elapse(60)
    const promote = async (): Promise<number> => t.settle(t.another(), 20)
    const moved = await Promise.all([promote(), promote(), promote(), promote(), promote()])
    const step = await t.storage.upkeep.promote(100)
    assert.equal(step.again, false)
    assert.ok(step.nextDue !== undefined && step.nextDue <= (await t.view(far[0]!)).dueAt!)
    const ready = (await t.phases(idsOf(made))).filter((phase) => phase === 'ready').length
    assert.equal(ready, made.length)
    assert.ok(moved.reduce((sum, n) => sum + n, 0) <= made.length, 'none was promoted twice')
    for (const { id } of made.slice(0, 40)) {
      const history = await t.history(id)
      assert.deepEqual(
        history.map(({ name, phase, reason, by }) => [name, phase, reason ?? null, by]),
        [
          ['scheduled', 'scheduled', null, ''],
          ['enqueued', 'ready', 'due', ''],
        ],
      )
    }
    assert.deepEqual(await t.phases(far), ['scheduled', 'scheduled', 'scheduled'])
    assert.deepEqual(idsOf(await (await t.worker()).claimAll()).toSorted(), idsOf(made).toSorted())
  },

  '103 a sweep removes a job with all that belongs to it': async (t) => {
    const keep = { succeeded: 40, deleted: 40, failed: 40 }
    const made = await t.create(jobs(t.size(120, 20_000), () => ({ keep, tags: ['swept'], name: 'swept.job' })))
    const parent = made[0]!
    const follower = await t.created(child(parent, { queue: 'children' }))
    const worker = await t.worker()
    for (const claimed of await worker.claimAll()) {
      const notes = [{ id: claimed.id, token: claimed.token, progress: '1', log: { from: 1, lines: ['a', 'b'] } }]
      await worker.exchange({ notes, apply: [succeed(claimed, { to: { ...states.succeeded, data: 'result' } })] })
    }
    await t.elapse(60)
    const removed = await t.until('everything is swept', async () => {
      await t.sweepAll()
      return (await t.phases(made)).every((phase) => phase === null)
    })
    assert.ok(removed)
    for (const id of made.slice(0, 20)) {
      assert.deepEqual(await t.history(id), [])
      assert.deepEqual((await t.storage.monitor.logs(id)).items, [])
      assert.equal(await t.storage.monitor.standing(id), null)
    }
    assert.deepEqual((await t.storage.monitor.list({ tag: ['swept'] }, { limit: 10 })).items, [])
    assert.deepEqual(await t.storage.monitor.count({ name: ['swept.job'] }, 10), { value: 0, exact: true })
    const counts = await t.storage.monitor.counts()
    assert.equal(
      Object.values(counts.byPhase).reduce((sum, n) => sum + n, 0),
      1,
    )
    assert.deepEqual((await t.view(follower)).parents, [{ id: parent, phase: 'gone' }])
    assert.equal(await t.phase(follower), 'ready')
    const [again] = await t.storage.jobs.create([job({ id: parent })])
    assert.equal(again?.ok, 'exists', 'a late repeat of its creation does not bring it back')
    assert.equal(await t.phase(parent), null)
  },

  '104 what is kept for ever stays, and a failed parent stays while children wait for it': async (t) => {
    const forever = { succeeded: null, failed: null, deleted: null }
    const [kept, called, parent] = await t.create([
      job({ keep: forever }),
      job({ keep: { succeeded: 40 } }),
      job({ keep: { failed: 40, deleted: 40 } }),
    ])
    const waiting = await t.created(child(parent!, { queue: 'children' }))
    const worker = await t.worker()
    const [first, second, third] = await worker.claim(3)
    await worker.done(succeed(first!), succeed(second!, { keep: null }), fail(third!))
    await t.elapse(80)
    await t.until('the failed parent is retired', async () => {
      await t.sweepAll()
      await t.settle()
      return (await t.phase(waiting)) === 'deleted'
    })
    const retired = await t.storage.monitor.get([parent!])
    assert.ok(retired[0] === null || retired[0]?.state.phase === 'deleted')
    assert.deepEqual(await t.phases([kept!, called!]), ['succeeded', 'succeeded'])
    assert.equal((await t.view(kept!)).removeAt ?? null, null)
  },

  '140 of two failed parents of one child that are swept together, the second goes at once': async (t) => {
    const keep = { failed: 40, deleted: null }
    const parents = await t.create([job({ keep }), job({ keep })])
    await t.created(child(parents, { queue: 'children', keep }))
    const worker = await t.worker()
    for (const claimed of await worker.claim(2)) await worker.done(fail(claimed))
    await t.elapse(80)
    await t.until('no parent is failed any more', async () => {
      await t.sweepAll()
      await t.settle()
      return !(await t.phases(parents)).includes('failed')
    })
    // The first is retired, which decides the child: nobody waits for the second any more.
    assert.deepEqual(new Set(await t.phases(parents)), new Set(['deleted', null]))
  },

  '105 a sweep during load loses nothing that should stay': async (t) => {
    const made = await t.create(jobs(t.size(200, 4_000), (index) => ({ keep: { succeeded: index % 2 ? 0 : hourMs } })))
    let finished = false
    const sweeping = async (): Promise<void> => {
      const storage = t.another()
      await t.until('the work is done', async () => {
        await storage.upkeep.sweep(50)
        return finished
      })
    }
    const working = async (): Promise<void> => {
      const worker = await t.worker()
      for (;;) {
        const claimed = await worker.claim(10)
        if (claimed.length === 0) break
        await worker.done(...claimed.map((found) => succeed(found)))
      }
      finished = true
    }
    await Promise.all([sweeping(), working()])
    await t.elapse(5)
    await t.until('the short-lived ones are gone', async () => {
      await t.sweepAll()
      return (await t.phases(made)).every((phase, index) => phase === (index % 2 ? null : 'succeeded'))
    })
    const now = await t.now()
    const [bucket] = await t.storage.monitor.series({ by: 'all', from: now - hourMs, to: now + hourMs, step: 'day' })
    assert.equal(bucket?.ok, made.length, 'and the series remember them all')
  },

  '106 a bulk command that is killed and resumed touches each job once': async (t) => {
    const made = await t.create(jobs(t.size(500, 50_000)))
    const worker = await t.worker()
    for (;;) {
      const claimed = await worker.claim(100)
      if (claimed.length === 0) break
      await worker.done(...claimed.map((found) => fail(found)))
    }
    await t.elapse(2)
    const enteredBefore = await t.now()
    const touched: JobId[] = []
    /** All failed jobs of the frozen set, page by page; a kill leaves the last page half done. */
    const bulk = async (pages: number): Promise<boolean> => {
      let cursor: string | undefined
      for (let page = 0; page < pages; page++) {
        const query = { phase: ['failed' as const], enteredBefore }
        const { items, next } = await t.storage.monitor.list(query, { limit: 70, cursor, order: 'oldest' })
        const killed = page === pages - 1
        const part = items.slice(0, killed ? 35 : items.length)
        const outcomes = await t.apply(...part.map(({ id }) => requeue(id, { command: `bulk-1:${id}` })))
        for (const [index, { ok }] of outcomes.entries()) if (ok === 'applied') touched.push(part[index]!.id)
        if (next === undefined) return true
        cursor = next
      }
      return false
    }
    assert.equal(await bulk(3), false)
    // Some fail again meanwhile: the command must not touch them a second time.
    const again = await worker.claim(20)
    await worker.done(...again.map((found) => fail(found)))
    assert.equal(await bulk(Infinity), true)
    assert.deepEqual(touched.toSorted(), made.toSorted())
    for (const { id } of again) assert.equal(await t.phase(id), 'failed')
    for (const id of made.slice(0, 50)) {
      const history = await t.history(id)
      assert.equal(history.filter((record) => record.command === `bulk-1:${id}`).length, 1)
    }
  },

  '107 failed jobs requeued in bulk keep their order': async (t) => {
    const made = await t.create(jobs(t.size(150, 5_000)))
    const worker = await t.worker()
    for (;;) {
      const claimed = await worker.claim(25)
      if (claimed.length === 0) break
      await worker.done(...claimed.map((found) => fail(found)))
      await t.elapse(1)
    }
    const order: JobId[] = []
    let cursor: string | undefined
    do {
      const query = { phase: ['failed' as const], enteredBefore: (await t.now()) + 1 }
      const page = await t.storage.monitor.list(query, { limit: 40, order: 'oldest', cursor })
      order.push(...idsOf(page.items))
      await t.apply(...page.items.map(({ id }) => requeue(id)))
      cursor = page.next
    } while (cursor !== undefined)
    assert.deepEqual(order.toSorted(), made.toSorted())
    const own = new TestWorker(t.storage, worker.session, ['mail'])
    own.call = worker.call
    const claimed = await own.claimAll()
    assert.deepEqual(idsOf(claimed), order)
    const refused = await t.applyOne(command(made[0]!, ['failed'], states.enqueued))
    assert.equal(refused.ok, 'refused')
  },
})
