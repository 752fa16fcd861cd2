import assert from 'node:assert/strict'
import type { ApplyOutcome, ClaimedJob } from '@q/core/storage'
import { claimToken, isQError } from '@q/core/storage'
import type { Line } from '../faults/line.ts'
import type { Chapter } from './chapter.ts'
import { chapter } from './chapter.ts'
import type { CaseContext } from './context.ts'
import { command, fail, handBack, idsOf, job, jobs, mail, newId, requeue, states, succeed } from './records.ts'
import { TestWorker } from './worker.ts'

export const ambiguity: Chapter = chapter('Ambiguity', {
  '52 when the reply of a create is lost, the repeat says `exists` and there is one job': async (t) => {
    await onBrokenLines(t, 'loseReply', async (line, send) => {
      const made = jobs(4)
      await send(() => line.storage.jobs.create(made))
      const before = await t.phases(idsOf(made))
      const outcomes = await answered(t, () => line.storage.jobs.create(made))
      const expected = before[0] === null ? 'created' : 'exists'
      assert.deepEqual(
        outcomes.map(({ ok }) => ok),
        made.map(() => expected),
      )
      for (const { id } of made) assert.equal((await t.history(id)).length, 1)
      return expected === 'exists'
    })
    const { created } = await total(t)
    assert.equal(
      created,
      Object.values((await t.storage.monitor.counts()).byPhase).reduce((sum, n) => sum + n, 0),
    )
  },

  '53 when the reply of an exchange is lost, reconcile tells what was applied and what was claimed': async (t) => {
    await onBrokenLines(t, 'loseReply', async (line, send) => {
      const { worker, first, second } = await twoJobs(t, line)
      const step = succeed(first)
      await send(() => worker.exchange({ apply: [step], claim: worker.asking(1) }))
      const wasApplied = (await t.phase(first.id)) === 'succeeded'
      const { applied, claimed } = await answered(t, () => worker.reconcile(worker.call, [step]))
      assert.deepEqual(applied, [{ ok: wasApplied ? 'already' : 'held' }])
      if (wasApplied) {
        assert.deepEqual(idsOf(claimed), [second])
        const [found] = claimed
        assert.equal(found?.token, claimToken(worker.session, worker.call))
        assert.equal(found?.attempt, 1)
        assert.equal(found?.payload, 'second')
        assert.deepEqual(found?.params, { p: 'v' })
        assert.deepEqual(found?.tags, ['tag'])
        assert.ok(found.claimedAt >= found.readyAt && found.readyAt >= found.createdAt)
        await worker.done(succeed(found))
        assert.equal(await t.phase(second), 'succeeded')
      } else {
        assert.deepEqual(claimed, [])
        assert.equal(await t.phase(second), 'ready')
      }
      return wasApplied
    })
  },

  '54 when the request is lost, reconcile says `held`, and the repeat applies': async (t) => {
    await onBrokenLines(t, 'loseRequest', async (line, send) => {
      const { worker, first, second } = await twoJobs(t, line)
      const step = succeed(first)
      await send(() => worker.exchange({ apply: [step], claim: worker.asking(1) }))
      if ((await t.phase(first.id)) === 'succeeded') return false
      const { applied, claimed } = await answered(t, () => worker.reconcile(worker.call, [step]))
      assert.deepEqual(applied, [{ ok: 'held' }])
      assert.deepEqual(claimed, [])
      const again = await worker.exchange({ apply: [step], claim: worker.asking(1) })
      assert.equal(again.applied[0]?.ok, 'applied')
      assert.deepEqual(idsOf(again.claimed), [second])
      assert.equal((await t.history(first.id)).length, 3)
      return true
    })
  },

  '55 to reconcile twice is the same as once': async (t) => {
    await onBrokenLines(t, 'loseReply', async (line, send) => {
      const { worker, first } = await twoJobs(t, line)
      const steps = [succeed(first), { ...succeed(first), id: newId() }]
      await send(() => worker.exchange({ apply: steps, claim: worker.asking(1) }))
      const one = await answered(t, () => worker.reconcile(worker.call, steps))
      const two = await answered(t, () => worker.reconcile(worker.call, steps))
      assert.deepEqual(two.applied, one.applied)
      assert.deepEqual(two.claimed, one.claimed)
      return one.applied[0]?.ok === 'already'
    })
  },

  '56 to reconcile for a lost session says so, and its jobs are recovered once': async (t) => {
    await onBrokenLines(t, 'loseReply', async (line, send) => {
      const queue = newId()
      await t.create(jobs(3, () => ({ queue })))
      const doomed = onLine(line, await t.worker({ ttl: 80, queues: [queue] }))
      await send(() => doomed.exchange({ claim: doomed.asking(3) }))
      const recovered = await t.bury(doomed)
      await assert.rejects(
        answered(t, () => doomed.reconcile(doomed.call)),
        { code: 'Q_SESSION_LOST' },
      )
      assert.deepEqual((await t.storage.upkeep.recover(100)).jobs, [])
      const again = await (await t.worker({ queues: [queue] })).claim(10)
      assert.equal(again.length, 3)
      const charged = recovered.length > 0 ? 1 : 0
      assert.deepEqual(
        again.map(({ crashes }) => crashes),
        [charged, charged, charged],
      )
      return charged === 1
    })
  },

  '57 connections cut at random places lose no job and complete none twice, and the counters agree': async (t) => {
    for (const line of await t.lines()) {
      const queue = line.carries
      const made = await t.create(jobs(t.size(60, 2_000), () => ({ queue })))
      const worker = onLine(line, await t.worker({ queues: [queue] }))
      const breaks = t.size(30, 1_000)
      const completed = new Map<string, number>()
      let held: readonly ClaimedJob[] = []
      for (let call = 0; completed.size < made.length; call++) {
        const steps = held.map((found) => succeed(found))
        if (call < breaks) line.breakAt(((call * 7919) % 1_000) / 1_000)
        const claim = worker.asking(3)
        const reply = await worker.exchange({ apply: steps, claim }).catch((error: unknown) => {
          assertStorageError(error)
          line.heal()
          return answered(t, () => worker.reconcile(worker.call, steps))
        })
        const outcomes: readonly (ApplyOutcome | { readonly ok: 'held' })[] = reply.applied
        const kept: ClaimedJob[] = []
        for (const [index, outcome] of outcomes.entries()) {
          const found = held[index]!
          if (outcome.ok === 'held') kept.push(found)
          else if (outcome.ok === 'applied' || outcome.ok === 'already')
            completed.set(found.id, (completed.get(found.id) ?? 0) + 1)
          else assert.fail(`${found.id} is ${outcome.ok}, and nobody else was there`)
        }
        held = [...kept, ...reply.claimed]
        assert.ok(call < 50 * made.length, 'the work gets done')
      }
      line.heal()
      assert.ok(line.struck > breaks / 10, `only ${line.struck} of ${breaks} breaks struck`)
      assert.deepEqual(
        [...completed.values()].filter((times) => times !== 1),
        [],
      )
      for (const id of made) {
        const history = await t.history(id)
        assert.deepEqual(
          history.map(({ phase }) => phase),
          ['ready', 'active', 'succeeded'],
        )
      }
      const [bucket] = await bucketsOf(t, queue)
      assert.equal(bucket?.ok, made.length)
      assert.equal(bucket?.created, made.length)
    }
  },

  '58 errors carry one of the four codes': async (t) => {
    const worker = await t.worker()
    await worker.exchange()
    await assert.rejects(t.storage.work.exchange({ session: worker.session, call: 1, apply: [] }), {
      code: 'Q_CALL_CLOSED',
    })
    await worker.reconcile(7)
    await assert.rejects(t.storage.work.exchange({ session: worker.session, call: 7, apply: [] }), {
      code: 'Q_CALL_CLOSED',
    })
    worker.call = 7
    assert.equal(await worker.heartbeat(), true, 'a closed call does not hurt the session')
    await worker.exchange()
    await worker.end()
    await assert.rejects(worker.exchange(), { code: 'Q_SESSION_LOST' })
    await assert.rejects(worker.reconcile(worker.call), { code: 'Q_SESSION_LOST' })

    for (const line of await t.lines()) {
      line.loseReply()
      const error = await line.storage.jobs.create([job()]).then(
        () => null,
        (reason: unknown) => reason,
      )
      line.heal()
      if (error !== null) assertStorageError(error)
    }
    const closed = t.elsewhere()
    await closed.start()
    await closed.close()
    const calls = [
      () => closed.jobs.create([job()]),
      () => closed.jobs.apply([requeue(newId())]),
      () => closed.work.heartbeat([newId()]),
      () => closed.upkeep.promote(1),
      () => closed.locks.acquire('l', 'o', 1_000),
      () => closed.queues.set(mail, { maxActive: 1 }),
      () => closed.recurring.due(1),
      () => closed.monitor.counts(),
      () => closed.wakeups.watch([{ queue: mail }], () => {}),
    ]
    for (const call of calls) await assert.rejects(call(), { code: 'Q_STORAGE_UNAVAILABLE' })
  },

  '59 what follows a run is created once, and not at all when the run was not ended by it': async (t) => {
    await onBrokenLines(t, 'loseReply', async (line, send) => {
      const { worker, first } = await twoJobs(t, line)
      const follow = jobs(2)
      const step = succeed(first, { create: [follow[0]!, { ...job(), priority: -1 }, follow[1]!] })
      await send(() => worker.exchange({ apply: [step] }))
      const wasApplied = (await t.phase(first.id)) === 'succeeded'
      assert.deepEqual(await t.phases(idsOf(follow)), wasApplied ? ['ready', 'ready'] : [null, null])
      const { applied } = await answered(t, () => worker.reconcile(worker.call, [step]))
      assert.equal(applied[0]?.ok, wasApplied ? 'already' : 'held')
      await answered(t, () => worker.exchange({ apply: [step] }))
      for (const { id } of follow) assert.equal((await t.history(id)).length, 1)
      return wasApplied
    })

    const queue = newId()
    const [done, taken] = await t.create(jobs(2, () => ({ queue })))
    const worker = await t.worker({ queues: [queue] })
    const [first, second] = await worker.claim(2)
    const [a, b, c, d] = jobs(4)
    const [outcome] = await worker.apply(succeed(first!, { create: [a!, { ...job(), priority: -1 }] }))
    assert.equal(outcome?.ok, 'applied', 'a refused follow-up does not stop its transition')
    assert.deepEqual(outcome?.ok === 'applied' && outcome.created?.map(({ ok }) => ok), ['created', 'invalid'])
    assert.equal(await t.phase(done!), 'succeeded')
    await t.apply(command(taken!, ['active'], states.enqueued, { force: true }))
    assert.deepEqual(await worker.apply(succeed(second!, { create: [b!] })), [{ ok: 'stale' }])
    const redo = requeue(done!, { create: [c!] })
    assert.equal((await t.applyOne(redo)).ok, 'applied')
    assert.equal((await t.applyOne({ ...redo, create: [d!] })).ok, 'already')
    assert.equal((await t.applyOne(command(done!, ['failed'], states.enqueued, { create: [d!] }))).ok, 'refused')
    assert.deepEqual(await t.phases(idsOf([a!, b!, c!, d!])), ['ready', null, 'ready', null])
  },

  '121 a delayed exchange that arrives after reconcile is refused and claims nothing': async (t) => {
    for (const line of await t.lines()) {
      const { worker, first, second } = await twoJobs(t, line)
      const step = succeed(first)
      const held = line.hold()
      const sent = worker.exchange({ apply: [step], claim: worker.asking(1) }).then(
        () => 'answered',
        (error: unknown) => {
          assertStorageError(error)
          return 'gave up'
        },
      )
      await held.abandon()
      const gaveUp = (await sent) === 'gave up'
      const direct = new TestWorker(t.storage, worker.session, [worker.queues[0]!.name])
      const { applied, claimed } = await direct.reconcile(worker.call, [step])
      if (gaveUp) {
        assert.deepEqual(applied, [{ ok: 'held' }])
        assert.deepEqual(claimed, [])
      }
      const before = await t.views([first.id, second])
      await held.release()
      line.heal()
      assert.deepEqual(await t.views([first.id, second]), before, 'the late request changed nothing')
      assert.deepEqual(await direct.reconcile(worker.call, [step]).then(({ applied: again }) => again), applied)
      direct.call = worker.call
      const next = await direct.exchange({ apply: [step], claim: direct.asking(1) })
      if (gaveUp) {
        assert.equal(next.applied[0]?.ok, 'applied')
        assert.deepEqual(idsOf(next.claimed), [second])
      }
    }
  },

  '122 of an exchange and its reconcile one comes first, and both agree which': async (t) => {
    const made = await t.create(jobs(t.size(240, 10_000)))
    const worker = await t.worker()
    const closer = t.another()
    let current = await worker.claimOne()
    const seen = { exchange: 0, reconcile: 0 }
    for (let round = 0; round < made.length - 1; round++) {
      const step = succeed(current)
      const call = ++worker.call
      const exchange = () =>
        worker.storage.work
          .exchange({ session: worker.session, call, apply: [step], claim: worker.asking(1) })
          .catch((error: unknown) => {
            assert.ok(isQError(error, 'Q_CALL_CLOSED'), String(error))
            return null
          })
      const reconcile = () => closer.work.reconcile(worker.session, call, [step])
      let reply: Awaited<ReturnType<typeof exchange>>
      let told: Awaited<ReturnType<typeof reconcile>>
      if (round % 2 === 0) [reply, told] = await Promise.all([exchange(), reconcile()])
      else [told, reply] = await Promise.all([reconcile(), exchange()])
      if (reply === null) {
        seen.reconcile++
        assert.deepEqual(told.applied, [{ ok: 'held' }])
        assert.deepEqual(told.claimed, [])
        const next = await worker.exchange({ apply: [step], claim: worker.asking(1) })
        assert.equal(next.applied[0]?.ok, 'applied')
        current = next.claimed[0]!
      } else {
        seen.exchange++
        assert.equal(reply.applied[0]?.ok, 'applied')
        assert.deepEqual(told.applied, [{ ok: 'already' }])
        assert.deepEqual(told.claimed, reply.claimed)
        current = reply.claimed[0]!
      }
      assert.equal(current.id, made[round + 1])
    }
    assert.ok(seen.exchange > 0 && seen.reconcile > 0, `both orders were seen: ${JSON.stringify(seen)}`)
  },

  '126 a command repeated after a lost reply is `already`, also when the job failed again meanwhile': async (t) => {
    await onBrokenLines(t, 'loseReply', async (line, send) => {
      const queue = newId()
      const id = await t.created(job({ queue }))
      const worker = await t.worker({ queues: [queue] })
      await worker.done(fail(await worker.claimOne()))
      const redo = requeue(id)
      await send(() => line.storage.jobs.apply([redo]))
      const wasApplied = (await t.phase(id)) === 'ready'
      const [outcome] = await answered(t, () => line.storage.jobs.apply([redo]))
      assert.equal(outcome?.ok, wasApplied ? 'already' : 'applied')
      for (let n = 0; n < 15; n++) {
        await worker.done(fail(await worker.claimOne()))
        assert.equal((await t.applyOne(redo)).ok, 'already')
        assert.equal(await t.phase(id), 'failed')
        if (n < 14) assert.equal((await t.applyOne(requeue(id))).ok, 'applied')
      }
      return wasApplied
    })
  },

  '139 of calls that were under way together, what became of each is known afterwards': async (t) => {
    const together = t.storage.capabilities.callsInFlight ?? 1
    const queue = newId()
    await t.create(jobs(together, () => ({ queue })))
    const worker = await t.worker({ queues: [queue] })
    const steps = (await worker.claim(together)).map((found) => handBack(found))
    const first = worker.call + 1
    const answers = await Promise.all(steps.map((step) => worker.exchange({ apply: [step] })))
    assert.deepEqual(
      answers.flatMap(({ applied }) => applied.map(({ ok }) => ok)),
      steps.map(() => 'applied'),
    )
    // The jobs themselves tell nothing of it any more: others have run them since.
    const other = await t.worker({ queues: [queue] })
    await other.done(...(await other.claim(together)).map((found) => succeed(found)))
    for (const [index, step] of steps.entries()) {
      const { applied } = await worker.reconcile(first + index, [step])
      assert.deepEqual(applied, [{ ok: 'already' }])
    }
  },

  '130 the log lines of a repeated call appear once': async (t) => {
    const id = await t.created(job())
    const worker = await t.worker()
    const claimed = await worker.claimOne()
    const log = { id, token: claimed.token, log: { from: 1, lines: ['one', new Uint8Array([2])] } }
    assert.deepEqual((await worker.exchange({ notes: [log] })).noted, [true])
    await worker.exchange({ notes: [log] })
    await worker.exchange({ notes: [{ ...log, log: { from: 2, lines: [new Uint8Array([2]), 'three'] } }] })
    const first = await t.storage.monitor.logs(id)
    assert.deepEqual(
      first.items.map(({ n, text, attempt }) => [n, typeof text === 'string' ? text : [...text], attempt]),
      [
        [1, 'one', 1],
        [2, [2], 1],
        [3, 'three', 1],
      ],
    )
    await worker.done(handBack(claimed))
    const again = await worker.claimOne()
    const notes = [
      { id, token: claimed.token, progress: 'stale', log: { from: 4, lines: ['stale'] } },
      { id, token: again.token, progress: '0.5', log: { from: 1, lines: ['four'] } },
      { id: newId(), token: again.token, progress: '1' },
    ]
    assert.deepEqual((await worker.exchange({ notes })).noted, [false, true, false])
    const rest = await t.storage.monitor.logs(id, 3)
    assert.deepEqual(
      rest.items.map(({ n, text }) => [n, text]),
      [[4, 'four']],
    )
    assert.equal((await t.view(id)).progress, '0.5')

    const last = { id, token: again.token, progress: '0.9', log: { from: 2, lines: ['five'] } }
    await worker.exchange({ notes: [last], apply: [succeed(again)] })
    assert.equal((await t.view(id)).progress, '0.9', 'notes apply before transitions')
    assert.equal((await t.storage.monitor.logs(id)).items.length, 5)
  },
})

type Send = <T>(call: () => Promise<T>) => Promise<T | null>

/**
 * Plays the scene once for each message of its call that can be lost, on every kind of line. The scene answers whether
 * it came to what the case is about; on each line it must at least once.
 */
async function onBrokenLines(
  t: CaseContext,
  loses: 'loseReply' | 'loseRequest',
  scene: (line: Line, send: Send) => Promise<boolean>,
): Promise<void> {
  for (const line of await t.lines()) {
    let met = 0
    for (let skip = 0; skip < 6; skip++) {
      const before = line.struck
      const send: Send = async (call) => {
        line[loses](skip)
        try {
          return await call()
        } catch (error) {
          assertStorageError(error)
          return null
        } finally {
          line.heal()
        }
      }
      if (await scene(line, send)) met++
      if (line.struck === before) break
    }
    assert.ok(met > 0, `no break of the line (${line.carries}) met what this case is about`)
  }
}

/** Repeats a call that may be repeated, until the line is up again. */
async function answered<T>(t: CaseContext, call: () => Promise<T>): Promise<T> {
  const { value } = await t.until('the storage answers again', async () => {
    try {
      return { value: await call() }
    } catch (error) {
      if (isQError(error, 'Q_SESSION_LOST') || isQError(error, 'Q_CALL_CLOSED')) throw error
      assertStorageError(error)
      return null
    }
  })
  return value
}

function assertStorageError(error: unknown): void {
  assert.ok(
    isQError(error, 'Q_AMBIGUOUS') || isQError(error, 'Q_STORAGE_UNAVAILABLE'),
    `a broken line is ambiguous or unavailable, not: ${String(error)}`,
  )
}

/** The same session, its calls sent over a line. */
function onLine(line: Line, worker: TestWorker): TestWorker {
  const moved = new TestWorker(
    line.storage,
    worker.session,
    worker.queues.map(({ name }) => name),
  )
  moved.call = worker.call
  return moved
}

/** A worker on the line that holds the first of two jobs of a queue of their own. */
async function twoJobs(
  t: CaseContext,
  line: Line,
): Promise<{ readonly worker: TestWorker; readonly first: ClaimedJob; readonly second: string }> {
  const queue = newId()
  const second = job({ queue, payload: 'second', params: { p: 'v' }, tags: ['tag'] })
  await t.create([job({ queue }), second])
  const direct = await t.worker({ queues: [queue] })
  const first = await direct.claimOne()
  return { worker: onLine(line, direct), first, second: second.id }
}

async function bucketsOf(t: CaseContext, queue: string) {
  const now = await t.now()
  return t.storage.monitor.series({ by: 'queue', key: queue, from: now - 3_600_000, to: now + 60_000, step: 'day' })
}

async function total(t: CaseContext): Promise<{ created: number }> {
  const now = await t.now()
  const buckets = await t.storage.monitor.series({ by: 'all', from: now - 3_600_000, to: now + 60_000, step: 'minute' })
  return { created: buckets.reduce((sum, bucket) => sum + bucket.created, 0) }
}
