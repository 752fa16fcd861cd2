import assert from 'node:assert/strict'
import type { Chapter } from './chapter.ts'
import { chapter } from './chapter.ts'
import { command, handBack, idsOf, job, jobs, retry, states } from './records.ts'

export const order: Chapter = chapter('Order', {
  '15 when quiet, first in is first out within one queue and priority': async (t) => {
    const made = jobs(120)
    for (let from = 0; from < made.length; from += 23) await t.create(made.slice(from, from + 23))
    const worker = await t.worker()
    const claimed: string[] = []
    for (let n = 0; n < 20; n++) claimed.push(...idsOf(await worker.claim(7)))
    assert.deepEqual(claimed, idsOf(made))
  },

  '16 the lower priority number comes first': async (t) => {
    const priorities = [100, 7, 65_535, 0, 7, 101, 8, 0]
    const made = jobs(priorities.length, (index) => ({ priority: priorities[index] }))
    for (const one of made) await t.created(one)
    const expected = made.toSorted((a, b) => a.priority! - b.priority!)
    assert.deepEqual(idsOf(await (await t.worker()).claim(20)), idsOf(expected))
  },

  '17 queues are drained strictly in the order they are asked for': async (t) => {
    const made = jobs(12, (index) => ({ queue: 'abc'.charAt(index % 3), priority: index % 2 }))
    await t.create(made)
    const worker = await t.worker({ queues: ['b', 'c', 'a'] })
    const expected = ['b', 'c', 'a'].flatMap((queue) =>
      made.filter((one) => one.queue === queue).toSorted((x, y) => x.priority! - y.priority!),
    )
    assert.deepEqual(idsOf(await worker.claim(5)), idsOf(expected.slice(0, 5)))
    const bounded = await worker.claim(3, { queues: [{ name: 'c', max: 1 }, { name: 'a' }] })
    assert.deepEqual(
      bounded.map(({ queue }) => queue),
      ['c', 'a', 'a'],
      'a queue gives no more than its own max',
    )
    assert.equal((await worker.claimAll()).length, 4)
  },

  '18 a later create never overtakes an earlier one that returned': async (t) => {
    const clients = [t.storage, t.another()]
    const made = jobs(t.size(300, 1_000))
    for (const [index, one] of made.entries()) await t.create([one], clients[index % 2])
    const claimed = await (await t.worker()).claimAll()
    assert.deepEqual(idsOf(claimed), idsOf(made))
  },

  '19 a retry goes to the tail': async (t) => {
    const [a, b, c] = await t.create(jobs(3))
    const worker = await t.worker()
    const first = await worker.claimOne()
    assert.equal(first.id, a)
    await worker.done(retry(first))
    const rest = await worker.claim(3)
    assert.deepEqual(idsOf(rest), [b, c, a])
    assert.equal(rest[2]?.attempt, 2)
  },

  '20 an undone claim restores the old place and the attempt': async (t) => {
    const [a, b, c] = await t.create(jobs(3))
    const worker = await t.worker()
    const [first, second] = await worker.claim(2)
    await worker.done(handBack(second!), handBack(first!))
    assert.equal((await t.view(a!)).attempt, 0)
    const again = await worker.claim(3)
    assert.deepEqual(idsOf(again), [a, b, c])
    assert.deepEqual(
      again.map(({ attempt }) => attempt),
      [1, 1, 1],
    )
  },

  '21 a recovered job keeps its place': async (t) => {
    const [a, b, c] = await t.create(jobs(3))
    const doomed = await t.worker({ ttl: 60, server: 'doomed' })
    assert.equal((await doomed.claimOne()).id, a)
    assert.deepEqual(await t.bury(doomed), [a])
    const claimed = await (await t.worker()).claim(3)
    assert.deepEqual(idsOf(claimed), [a, b, c])
    assert.equal(claimed[0]?.crashes, 1)
    assert.equal(claimed[0]?.attempt, 2, 'the lost run counts')
    assert.equal(claimed[1]?.crashes, 0)
  },

  '22 promoted jobs stand behind what was ready, by due time, then by creation': async (t) => {
    // In one call their delays start at one instant, however slow the storage is.
    const late = job({ state: states.scheduled, delay: 40 })
    const soon = job({ state: states.scheduled, delay: 20 })
    const soonToo = job({ state: states.scheduled, delay: 20 })
    const ready = job()
    await t.create([late, soon, soonToo, ready])
    await t.elapse(40)
    await t.settle()
    const after = await t.created(job())
    const urgent = await t.created(job({ priority: 1 }))
    const worker = await t.worker()
    assert.deepEqual(idsOf(await worker.claim(10)), [urgent, ready.id, soon.id, soonToo.id, late.id, after])
    assert.deepEqual(
      (await t.history(soon.id)).map(({ phase }) => phase),
      ['scheduled', 'ready', 'active'],
    )
    const [outcome] = await t.apply(command(soon.id, ['ready'], states.deleted))
    assert.equal(outcome?.ok, 'refused')
  },
})
