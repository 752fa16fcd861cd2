import assert from 'node:assert/strict'
import type { JobId } from '@q/core/storage'
import type { Chapter } from './chapter.ts'
import { chapter } from './chapter.ts'
import {
  cancel,
  command,
  fail,
  handBack,
  idsOf,
  job,
  jobs,
  mail,
  newId,
  remove,
  requeue,
  retry,
  states,
  succeed,
} from './records.ts'

export const transitions: Chapter = chapter('Transitions and fence', {
  '36 a completion makes the job final, with its data': async (t) => {
    const [a, b, c] = await t.create(jobs(3, () => ({ keep: { succeeded: 60_000, failed: null } })))
    const worker = await t.worker({ server: 'server-3' })
    const [first, second, third] = await worker.claim(3)
    const error = { fingerprint: 'TypeError:x', preview: 'TypeError: x is not a function' }
    await worker.done(
      succeed(first!, { to: { ...states.succeeded, data: '{"result":1}' }, ranMs: 12 }),
      fail(second!, { to: { ...states.failed, reason: 'gave up', error } }),
      { ...succeed(third!, { to: { ...states.deleted, reason: 'cancelled by itself' } }), keep: 1_000 },
    )
    const done = await t.view(a!)
    assert.equal(done.state.phase, 'succeeded')
    assert.equal(done.state.data, '{"result":1}')
    assert.equal(done.state.by, 'server-3')
    assert.equal(done.attempt, 1)
    assert.equal(done.ranMs, 12)
    assert.equal(done.removeAt, done.state.at + 60_000)
    const failed = await t.view(b!)
    assert.equal(failed.state.phase, 'failed')
    assert.deepEqual(failed.state.error, error)
    assert.equal(failed.removeAt ?? null, null, 'kept until it is deleted by hand')
    const deleted = await t.view(c!)
    assert.equal(deleted.state.reason, 'cancelled by itself')
    assert.equal(deleted.removeAt, deleted.state.at + 1_000)
    assert.deepEqual(await worker.claim(10), [])
  },

  '37 to complete one job and claim the next is one step': async (t) => {
    const made = await t.create(jobs(t.size(60, 500)))
    const worker = await t.worker()
    let held = await worker.claimOne()
    let place = 1
    let finished = false
    const watch = async (): Promise<number> => {
      const observer = t.another()
      let seen = 0
      while (!finished) {
        const at = place
        const [before, now, next] = [made[at - 1]!, made[at - 1]!, made[at]]
        if (next === undefined) break
        // Two reads, one after the other: whatever the first saw, the second is later.
        const [done] = await observer.monitor.get([before])
        const [following] = await observer.monitor.get([next])
        if (done?.state.phase === 'succeeded') assert.notEqual(following?.state.phase, 'ready')
        const [started] = await observer.monitor.get([next])
        const [previous] = await observer.monitor.get([now])
        if (started?.state.phase === 'active') assert.equal(previous?.state.phase, 'succeeded')
        seen++
      }
      return seen
    }
    const run = async (): Promise<void> => {
      for (; place < made.length; place++) {
        const reply = await worker.exchange({ apply: [succeed(held)], claim: worker.asking(1) })
        assert.deepEqual(reply.applied, [{ ok: 'applied', released: 0 }])
        held = reply.claimed[0]!
        assert.equal(held.id, made[place])
      }
      finished = true
    }
    const [seen] = await Promise.all([watch(), run()])
    assert.ok(seen > 0)
  },

  '38 a used token is `already` for the call that used it, `stale` for another': async (t) => {
    await t.created(job())
    const worker = await t.worker()
    const claimed = await worker.claimOne()
    const step = succeed(claimed)
    await worker.done(step)
    const used = worker.call
    assert.deepEqual(await worker.apply(step), [{ ok: 'stale' }])
    assert.deepEqual((await worker.reconcile(used, [step])).applied, [{ ok: 'already' }])
    const another = await t.worker()
    assert.deepEqual(await another.apply(step), [{ ok: 'stale' }])
    assert.equal((await t.history(claimed.id)).length, 3)
  },

  '39 a token is stale once its session was recovered': async (t) => {
    const id = await t.created(job())
    const doomed = await t.worker({ ttl: 60 })
    const claimed = await doomed.claimOne()
    await t.bury(doomed)
    await assert.rejects(doomed.apply(succeed(claimed)), { code: 'Q_SESSION_LOST' })
    const worker = await t.worker()
    assert.deepEqual(await worker.apply(succeed(claimed)), [{ ok: 'stale' }])
    assert.equal(await t.phase(id), 'ready')
    const again = await worker.claimOne()
    assert.notEqual(again.token, claimed.token)
    assert.deepEqual(await worker.apply(succeed(claimed)), [{ ok: 'stale' }], 'nor while somebody else runs it')
    assert.equal(await t.phase(id), 'active')
  },

  '40 a token is stale once a command forced the job away': async (t) => {
    const [gone, back] = await t.create(jobs(2))
    const worker = await t.worker()
    const [first, second] = await worker.claim(2)
    const outcomes = await t.apply(remove(gone!), command(back!, ['active'], states.enqueued, { force: true }))
    assert.deepEqual(
      outcomes.map(({ ok }) => ok),
      ['applied', 'applied'],
    )
    assert.deepEqual(await worker.apply(succeed(first!), succeed(second!)), [{ ok: 'stale' }, { ok: 'stale' }])
    assert.deepEqual(await t.phases([gone!, back!]), ['deleted', 'ready'])
    const other = await t.worker()
    await other.claimOne()
    assert.deepEqual(await worker.apply(succeed(second!)), [{ ok: 'stale' }], 'nor while somebody else runs it')
    assert.equal(await t.phase(back!), 'active')
  },

  '41 a token is stale once its session has ended': async (t) => {
    const id = await t.created(job())
    const leaving = await t.worker()
    const claimed = await leaving.claimOne()
    await leaving.end()
    const worker = await t.worker()
    assert.deepEqual(await worker.apply(succeed(claimed)), [{ ok: 'stale' }])
    assert.equal(await t.phase(id), 'ready')
    await worker.claimOne()
    assert.deepEqual(await worker.apply(succeed(claimed)), [{ ok: 'stale' }], 'nor while somebody else runs it')
    assert.equal(await t.phase(id), 'active')
  },

  '42 of two completions of one claim in one call the first applies, the second is `already`': async (t) => {
    const id = await t.created(job())
    const worker = await t.worker()
    const claimed = await worker.claimOne()
    const outcomes = await worker.apply(succeed(claimed), fail(claimed))
    assert.deepEqual(
      outcomes.map(({ ok }) => ok),
      ['applied', 'already'],
    )
    assert.equal(await t.phase(id), 'succeeded')
    assert.equal((await t.history(id)).length, 3)
  },

  '43 a command that expects another phase is refused, and told the present one': async (t) => {
    const [ready, later] = await t.create([job(), job({ state: states.scheduled, delay: 60_000 })])
    const outcomes = await t.apply(
      command(ready!, ['failed', 'scheduled'], states.deleted),
      command(later!, [{ state: 'enqueued' }], states.deleted),
      command(later!, [{ state: 'scheduled' }], states.enqueued),
    )
    assert.deepEqual(outcomes.slice(0, 2), [
      { ok: 'refused', phase: 'ready', state: 'enqueued' },
      { ok: 'refused', phase: 'scheduled', state: 'scheduled' },
    ])
    assert.equal(outcomes[2]?.ok, 'applied')
    assert.deepEqual(await t.phases([ready!, later!]), ['ready', 'ready'])
    const invalid = await t.applyOne({ id: ready!, to: states.deleted })
    assert.equal(invalid.ok, 'invalid', 'neither token nor expected phase')
  },

  '44 the states passed through stand in the history in order, before the last': async (t) => {
    const id = await t.created(job())
    const worker = await t.worker({ server: 'server-9' })
    const via = [
      { name: 'failed', phase: 'failed', data: 'first', error: states.failed.error },
      { name: 'reviewed', phase: 'failed', reason: 'looked at' },
    ] as const
    await worker.done({ ...retry(await worker.claimOne(), 60_000), via })
    const history = await t.history(id)
    assert.deepEqual(
      history.map(({ n, name, phase }) => [n, name, phase]),
      [
        [1, 'enqueued', 'ready'],
        [2, 'processing', 'active'],
        [3, 'failed', 'failed'],
        [4, 'reviewed', 'failed'],
        [5, 'scheduled', 'scheduled'],
      ],
    )
    assert.equal(history[2]?.data, 'first')
    assert.deepEqual(history[2]?.error, states.failed.error)
    assert.equal(history[3]?.reason, 'looked at')
    assert.deepEqual(
      history.slice(2).map(({ by }) => by),
      ['server-9', 'server-9', 'server-9'],
    )
  },

  '45 a retry with a delay is scheduled, then ready, then the next attempt': async (t) => {
    const id = await t.created(job())
    const worker = await t.worker()
    const delay = 80
    await worker.done(retry(await worker.claimOne(), delay))
    const waiting = await t.view(id)
    assert.equal(waiting.state.phase, 'scheduled')
    assert.equal(waiting.dueAt, waiting.state.at + delay)
    const again = await t.until('the retry is claimed', async () => {
      await t.settle()
      return (await worker.claim(1)).at(0)
    })
    assert.equal(again.id, id)
    assert.equal(again.attempt, 2)
    assert.ok(again.claimedAt >= waiting.dueAt!)
    assert.deepEqual(
      (await t.history(id)).map(({ phase }) => phase),
      ['ready', 'active', 'failed', 'scheduled', 'ready', 'active'],
    )
  },

  '46 a reset sets attempt and crashes to zero': async (t) => {
    const id = await t.created(job())
    const doomed = await t.worker({ ttl: 60 })
    await doomed.claimOne()
    await t.bury(doomed)
    const worker = await t.worker()
    await worker.done(fail(await worker.claimOne()))
    const failed = await t.view(id)
    assert.deepEqual([failed.attempt, failed.crashes], [2, 1])
    assert.equal((await t.applyOne(requeue(id))).ok, 'applied')
    const fresh = await t.view(id)
    assert.deepEqual([fresh.attempt, fresh.crashes], [0, 0])
    assert.equal((await worker.claimOne()).attempt, 1)
  },

  '47 queue and priority change in the same step': async (t) => {
    const [moved, urgent, plain] = await t.create(jobs(3))
    const worker = await t.worker({ queues: [mail, 'slow'] })
    const claimed = await worker.claim(3)
    await worker.done(
      retry(claimed[0]!, undefined, { queue: 'slow' }),
      retry(claimed[2]!),
      retry(claimed[1]!, undefined, { priority: 1 }),
    )
    const again = await worker.claim(3)
    assert.deepEqual(idsOf(again), [urgent, plain, moved])
    assert.equal(again[2]?.queue, 'slow')
    assert.equal(again[0]?.priority, 1)
    await worker.done(...again.map((found) => handBack(found)))
    assert.equal((await t.applyOne(command(plain!, ['ready'], states.enqueued, { queue: 'slow' }))).ok, 'applied')
    assert.deepEqual(idsOf(await worker.claim(5, { queues: [{ name: mail }] })), [urgent])
    assert.equal((await worker.claim(5, { queues: [{ name: 'slow' }] })).length, 2)
  },

  '48 an unknown id is missing': async (t) => {
    const worker = await t.worker()
    await t.created(job())
    const claimed = await worker.claimOne()
    const unknown = newId()
    assert.deepEqual(await t.apply(requeue(unknown)), [{ ok: 'missing' }])
    assert.deepEqual(await worker.apply({ ...succeed(claimed), id: unknown }), [{ ok: 'missing' }])
    const { applied } = await worker.reconcile(worker.call, [{ ...succeed(claimed), id: unknown }])
    assert.deepEqual(applied, [{ ok: 'missing' }])
  },

  '49 the history has every state, without gaps, in time': async (t) => {
    const id = await t.created(job({ by: 'web-1' }))
    const worker = await t.worker()
    await worker.done(retry(await worker.claimOne()))
    await worker.done(handBack(await worker.claimOne()))
    const doomed = await t.worker({ ttl: 60 })
    await doomed.claimOne()
    await t.bury(doomed)
    await worker.done(fail(await worker.claimOne()))
    await t.apply(requeue(id))
    await worker.done(succeed(await worker.claimOne()))
    const history = await t.history(id)
    assert.deepEqual(
      history.map(({ phase }) => phase),
      'ready active failed ready active ready active ready active failed ready active succeeded'.split(' '),
    )
    for (const [index, record] of history.entries()) {
      assert.equal(record.n, index + 1)
      assert.ok(index === 0 || record.at >= history[index - 1]!.at, 'time does not run backwards')
    }
    assert.deepEqual([history[0]!.by, history[7]!.by, history[10]!.by], ['web-1', '', 'operator'])
    assert.ok(history[10]!.command, 'a command is named in what it did')
    assert.deepEqual(
      (await t.storage.monitor.history(id, 10)).map(({ n }) => n),
      [11, 12, 13],
    )
  },

  '50 a final job made ready by a command runs again': async (t) => {
    const made = await t.create(jobs(3))
    const worker = await t.worker()
    const [first, second, third] = await worker.claim(3)
    await worker.done(succeed(first!), fail(second!), succeed(third!, { to: states.deleted }))
    assert.deepEqual(await t.phases(made), ['succeeded', 'failed', 'deleted'])
    for (const id of made) assert.equal((await t.applyOne(requeue(id))).ok, 'applied')
    for (const id of made) assert.equal((await t.view(id)).removeAt ?? null, null, 'retention no longer counts')
    const again = await worker.claim(5)
    assert.deepEqual(idsOf(again), made)
    await worker.done(...again.map((found) => succeed(found)))
    assert.deepEqual(await t.phases(made), ['succeeded', 'succeeded', 'succeeded'])
  },

  '51 to delete an active job asks its holder, by force takes it away': async (t) => {
    const [asked, forced] = await t.create(jobs(2))
    const worker = await t.worker()
    const [first, second] = await worker.claim(2)
    const wish = cancel(asked!, { to: { ...states.deleted, reason: 'not needed' }, grace: 2_000 })
    assert.deepEqual(await t.applyOne(wish), { ok: 'signalled' })
    assert.deepEqual(await t.applyOne(wish), { ok: 'already' })
    assert.deepEqual(await t.phases([asked!]), ['active'], 'it still runs')
    const told = { id: asked!, token: first!.token, reason: 'not needed', grace: 2_000 }
    const cancelled = async (): Promise<readonly { readonly id: JobId }[]> => (await worker.exchange()).signals.cancel
    assert.deepEqual((await worker.exchange()).signals.cancel.map(plain), [told])
    assert.deepEqual((await worker.exchange()).signals.cancel.map(plain), [told], 'a level, not an event')
    const [beat] = await t.storage.work.heartbeat([worker.session])
    assert.deepEqual(beat?.signals.cancel.map(plain), [told])

    assert.equal((await t.applyOne(remove(forced!))).ok, 'applied')
    assert.equal(await t.phase(forced!), 'deleted')
    const voided = (await worker.exchange()).signals.cancel.find(({ id }) => id === forced)
    assert.equal(voided?.token, second!.token)
    assert.equal(voided?.voided, true)
    assert.deepEqual(await worker.apply(succeed(second!)), [{ ok: 'stale' }])
    assert.deepEqual(idsOf(await cancelled()), [asked!], 'told until the holder named that token')

    await worker.done(succeed(first!, { to: states.deleted }))
    assert.deepEqual(await cancelled(), [])
    assert.equal((await t.applyOne(command(asked!, ['active'], states.deleted))).ok, 'refused')
  },

  '137 a job that succeeds under a wish to cancel stays succeeded, and may run again': async (t) => {
    const id = await t.created(job())
    const worker = await t.worker()
    const claimed = await worker.claimOne()
    assert.equal((await t.applyOne(cancel(id))).ok, 'signalled')
    await worker.done(succeed(claimed))
    assert.equal(await t.phase(id), 'succeeded')
    assert.equal((await t.applyOne(requeue(id))).ok, 'applied')
    const again = await worker.claimOne()
    assert.deepEqual((await worker.exchange()).signals.cancel, [])
    await worker.done(retry(again))
    assert.equal(await t.phase(id), 'ready', 'the old wish is gone')
  },
})

/** A signal without the fields that are absent or undefined, to compare with what is expected. */
function plain(signal: object): object {
  return Object.fromEntries(Object.entries(signal).filter(([, value]) => value !== undefined && value !== false))
}
