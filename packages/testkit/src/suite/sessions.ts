import assert from 'node:assert/strict'
import type { ClaimedJob, JobId, NewJob, TransactionalStorage } from '@q/core/storage'
import type { Chapter } from './chapter.ts'
import { chapter } from './chapter.ts'
import { withinFactor } from './claim.ts'
import type { CaseContext } from './context.ts'
import { cancel, child, fail, handBack, idsOf, job, jobs, newId, park, retry, states, succeed } from './records.ts'
import { TestWorker } from './worker.ts'

export const sessions: Chapter = chapter('Sessions and crashes', {
  '60 a heartbeat costs the same however many jobs a session holds': {
    alone: true,
    async body(t) {
      const held = t.size(2_000, 10_000)
      await t.create(jobs(held))
      const idle = await t.worker()
      const busy = await t.worker()
      const alone = await fastestBeat(idle)
      const { maxBatch } = t.storage.capabilities
      let claimed = 0
      while (claimed < held) claimed += (await busy.claim(Math.min(maxBatch, 500))).length
      await withinFactor(5, alone, () => fastestBeat(busy))
      const beats = await t.storage.work.heartbeat([busy.session, newId(), idle.session])
      assert.deepEqual(
        beats.map(({ alive }) => alive),
        [true, false, true],
      )
    },
  },

  '61 the jobs of expired sessions are recovered in chunks, each once, whoever recovers': async (t) => {
    const perSession = t.size(120, 2_000)
    const made = await t.create(jobs(3 * perSession))
    const doomed = await Promise.all([1, 2, 3].map(() => t.worker({ ttl: 80 })))
    for (const worker of doomed) {
      for (let held = 0; held < perSession;) held += (await worker.claim(Math.min(100, perSession - held))).length
    }
    const recovered: JobId[] = []
    const gone = new Set<string>()
    const recover = async (): Promise<void> => {
      const storage = t.another()
      await t.until('all three sessions are gone', async () => {
        const step = await storage.upkeep.recover(25)
        assert.ok(step.jobs.length <= 25, `a chunk of ${step.jobs.length}`)
        recovered.push(...step.jobs)
        for (const session of step.sessions) gone.add(session)
        return doomed.every(({ session }) => gone.has(session))
      })
    }
    await Promise.all([1, 2, 3, 4, 5].map(recover))
    assert.deepEqual(recovered.toSorted(), made.toSorted(), 'each once, none forgotten')
    const again = await (await t.worker()).claimAll()
    assert.deepEqual(idsOf(again), made, 'at their old places')
    assert.ok(again.every(({ crashes, attempt }) => crashes === 1 && attempt === 2))
  },

  '62 a live session is never recovered': async (t) => {
    const ttl = 240
    await t.create(jobs(2))
    const alive = await t.worker({ ttl })
    const silent = await t.worker({ ttl })
    const held = await alive.claimOne()
    await silent.claimOne()
    const recovered: JobId[] = []
    let lost = false
    for (let step = 0; step < 40 && !(lost && step > 20); step++) {
      assert.equal(await alive.heartbeat(), true)
      const found = await t.storage.upkeep.recover(100)
      recovered.push(...found.jobs)
      lost ||= found.sessions.includes(silent.session)
      assert.ok(!found.sessions.includes(alive.session))
      await t.elapse(ttl / 10)
    }
    assert.ok(lost, 'while a silent one is')
    assert.equal(recovered.length, 1)
    await alive.done(succeed(held))

    // Whoever looks again when he is told to finds each lost session in two looks, and hardly ever looks for nothing.
    const doomed = await t.worker({ ttl })
    for (let looks = 1; ; looks++) {
      const { sessions, nextLook } = await t.storage.upkeep.recover(100)
      if (sessions.includes(doomed.session)) break
      assert.ok(nextLook !== undefined, 'while a session is open there is a time to look')
      assert.ok(looks < 8, 'that time is neither too early nor forgotten')
      await t.elapse(Math.max(1, nextLook - (await t.now())))
    }
  },

  '63 crashes grow, and at the limit the job fails, with its edges decided': async (t) => {
    const parent = await t.created(job({ crashLimit: 2 }))
    const onFailure = child(parent, {}, ['failed'])
    const onSuccess = child(parent)
    await t.create([onFailure, onSuccess])
    for (const crashes of [1, 2]) {
      const doomed = await t.worker({ ttl: 60 })
      const [claimed] = await doomed.claim(1)
      assert.equal(claimed?.id, parent)
      assert.deepEqual(await t.bury(doomed), [parent])
      assert.equal((await t.view(parent)).crashes, crashes)
    }
    await t.settle()
    const view = await t.view(parent)
    assert.equal(view.state.phase, 'failed')
    assert.equal(view.state.reason, 'lost with its server too often')
    assert.equal(view.state.by, '')
    assert.deepEqual(await t.phases([onFailure.id, onSuccess.id]), ['ready', 'awaiting'])
  },

  '64 a late heartbeat is told that the session is gone': async (t) => {
    const doomed = await t.worker({ ttl: 60 })
    const alive = await t.worker()
    assert.equal(await doomed.heartbeat(), true)
    await t.bury(doomed)
    const beats = await t.storage.work.heartbeat([doomed.session, alive.session])
    assert.deepEqual(
      beats.map((beat) => beat.alive),
      [false, true],
    )
  },

  '65 `end` hands back all that was held, at its place, uncharged': async (t) => {
    const made = await t.create(jobs(5))
    const leaving = await t.worker()
    const claimed = await leaving.claim(3)
    await leaving.done(retry(claimed[1]!))
    await leaving.end()
    const views = await t.views(made)
    assert.deepEqual(
      views.map((view) => [view?.state.phase, view?.attempt, view?.crashes]),
      [
        ['ready', 0, 0],
        ['ready', 1, 0],
        ['ready', 0, 0],
        ['ready', 0, 0],
        ['ready', 0, 0],
      ],
    )
    assert.equal(views[0]?.state.reason, 'handed back')
    await leaving.end()
    const again = await (await t.worker()).claim(10)
    assert.deepEqual(idsOf(again), [made[0], made[2], made[3], made[4], made[1]])
    assert.equal(again[0]?.attempt, 1)
  },

  '66 the jobs of a killed worker run elsewhere within ttl and one poll': async (t) => {
    const ttl = 300
    const pollMs = 40
    const made = await t.create(jobs(3))
    const process = await t.child()
    const doomed = await t.worker({ ttl, storage: process?.storage })
    assert.equal((await doomed.claim(3)).length, 3)
    const from = await t.now()
    await process?.kill()
    const rescuer = await t.worker({ server: 'rescuer' })
    const rescued: ClaimedJob[] = []
    await t.until('the jobs run elsewhere', async () => {
      await t.storage.upkeep.recover(100)
      rescued.push(...(await rescuer.claim(10)))
      if (rescued.length < 3) await t.elapse(pollMs)
      return rescued.length >= 3
    })
    const tookMs = rescued.at(-1)!.claimedAt - from
    assert.deepEqual(idsOf(rescued), made)
    assert.ok(tookMs >= ttl / 2, `too early: ${tookMs} ms`)
    // A busy machine may hold up a poll or two.
    assert.ok(tookMs <= ttl + pollMs + 1_500, `too late: ${tookMs} ms`)
    await rescuer.done(...rescued.map((found) => succeed(found)))
  },

  '67 a worker frozen beyond its ttl finds its completions stale': async (t) => {
    const id = await t.created(job())
    const process = await t.child()
    const frozen = await t.worker({ ttl: 120, storage: process?.storage })
    const claimed = await frozen.claimOne()
    process?.freeze()
    const late = process ? frozen.apply(succeed(claimed, { to: { ...states.succeeded, data: 'late' } })) : null
    late?.catch(() => {})
    assert.deepEqual(await t.bury(frozen), [id])
    const worker = await t.worker()
    const again = await worker.claimOne()
    process?.thaw()
    await assert.rejects(late ?? frozen.apply(succeed(claimed)), { code: 'Q_SESSION_LOST' })
    await assert.rejects(frozen.claim(1), { code: 'Q_SESSION_LOST' })
    assert.equal(await frozen.heartbeat(), false)
    assert.equal(await t.phase(id), 'active')
    await worker.done(succeed(again, { to: { ...states.succeeded, data: 'second run' } }))
    assert.equal((await t.view(id)).state.data, 'second run')
    assert.equal((await t.history(id)).filter(({ phase }) => phase === 'succeeded').length, 1)
  },

  '68 what was acknowledged is there after a crash, as far as the durability goes': async (t) => {
    const server = await t.scratch.restartable?.()
    if (server) {
      const storage = server.open()
      await storage.start()
      t.own(storage)
      const acknowledged: JobId[] = []
      const { durability } = storage.capabilities
      for (let n = 0; n < 40; n++) acknowledged.push(...(await t.create(jobs(5), storage)))
      await server.kill()
      await server.restart()
      const found = await t.until(
        'the same instance answers again',
        async () =>
          storage.monitor.get(acknowledged).catch((error: unknown) => {
            assert.ok(Reflect.get(error as object, 'code') === 'Q_STORAGE_UNAVAILABLE', String(error))
            return null
          }),
        30_000,
      )
      const there = found.filter((view) => view !== null).length
      if (durability === 'synced' || durability === 'quorum') assert.equal(there, acknowledged.length)
      else assert.ok(!found.slice(0, there).includes(null), 'only the last moments may be missing')
      await t.create(jobs(1), storage)
      await storage.close()
      await server.stop()
      return
    }
    const process = await t.child()
    if (process) {
      const acknowledged: JobId[] = []
      const creating = (async () => {
        for (;;) acknowledged.push(...(await t.create(jobs(3), process.storage)))
      })()
      creating.catch(() => {})
      await t.until('some were acknowledged', async () => acknowledged.length > 60)
      await process.kill()
      await assert.rejects(creating)
      assert.ok(!(await t.phases(acknowledged)).includes(null))
      return
    }
    assert.equal(t.storage.capabilities.durability, 'none', 'a storage that nothing can outlive says so')
  },

  '69 the id of an ended session is refused for twice its ttl': async (t) => {
    const ttl = 30_000
    const worker = await t.worker({ ttl })
    const id = await t.created(job())
    await worker.claimOne()
    const session = { id: worker.session, server: 'server-1', ttl, info: '{}' }
    await t.storage.work.open(session)
    assert.equal(await t.phase(id), 'active', 'opening a live session again changes nothing')
    await worker.end()
    await assert.rejects(t.storage.work.open(session), { code: 'Q_SESSION_LOST' })
    await assert.rejects(worker.exchange(), { code: 'Q_SESSION_LOST' })
    const doomed = await t.worker({ ttl: 500 })
    await t.bury(doomed)
    await assert.rejects(t.storage.work.open({ ...session, id: doomed.session, ttl: 500 }), { code: 'Q_SESSION_LOST' })
  },

  '70 an exchange renews its session': async (t) => {
    const ttl = 240
    const id = await t.created(job())
    const worker = await t.worker({ ttl })
    const claimed = await worker.claimOne()
    for (let step = 0; step < 24; step++) {
      await worker.exchange()
      assert.deepEqual((await t.storage.upkeep.recover(100)).jobs, [])
      await t.elapse(ttl / 10)
    }
    await worker.done(succeed(claimed))
    assert.equal(await t.phase(id), 'succeeded')
  },

  '123 an exchange stalled past its ttl applies while the session lives, or changes nothing': async (t) => {
    for (const line of await t.lines()) {
      for (const recovers of [false, true]) {
        const queue = newId()
        const made = await t.create(jobs(2, () => ({ queue })))
        const direct = await t.worker({ ttl: 100, queues: [queue] })
        const first = await direct.claimOne()
        const worker = new TestWorker(line.storage, direct.session, [queue])
        worker.call = direct.call
        const held = line.hold()
        const sent = worker.exchange({ apply: [succeed(first)], claim: worker.asking(1) }).then(
          () => 'applied',
          (error: unknown) => String(Reflect.get(error as object, 'code')),
        )
        await t.elapse(150)
        if (recovers) await t.bury(direct)
        await held.release()
        line.heal()
        const outcome = await sent
        const phases = await t.phases(made)
        if (recovers) {
          assert.notEqual(outcome, 'applied')
          assert.deepEqual(phases, ['ready', 'ready'])
        } else {
          if (line.carries === 'bytes') assert.equal(outcome, 'applied')
          assert.deepEqual(phases, ['succeeded', 'active'])
          assert.equal(await direct.heartbeat(), true)
        }
        await assertNoOrphans(t)
      }
    }
    await raceWithBurial(t)
  },

  '124 an outage longer than the ttl re-runs nothing that is alive': async (t) => {
    const made = await t.create(jobs(4))
    const workers = await Promise.all([1, 2].map(() => t.worker({ ttl: 80 })))
    const held = await Promise.all(workers.map((worker) => worker.claim(2)))
    await t.elapse(400)
    // The storage is back. Whoever comes first looks once, everybody lives again, and later looks find nothing.
    assert.deepEqual((await t.storage.upkeep.recover(100)).jobs, [], 'one look is not enough')
    for (const worker of workers) assert.equal(await worker.heartbeat(), true)
    for (let look = 0; look < 5; look++) {
      assert.deepEqual((await t.storage.upkeep.recover(100)).jobs, [])
      for (const worker of workers) assert.equal(await worker.heartbeat(), true)
      await t.elapse(15)
    }
    for (const [index, worker] of workers.entries()) await worker.done(...held[index]!.map((one) => succeed(one)))
    for (const view of await t.views(made)) assert.deepEqual([view?.attempt, view?.crashes], [1, 0])
  },

  '125 a wish to cancel outlives a retry on the wire and a crash': async (t) => {
    const [retried, crashed, ended, undone, parked] = await t.create(jobs(5))
    const doomed = await t.worker({ ttl: 80 })
    const leaving = await t.worker()
    const worker = await t.worker()
    const claims = new Map<string | undefined, ClaimedJob>()
    for (const one of [worker, doomed, leaving, worker, worker]) {
      const claimed = await one.claimOne()
      claims.set(claimed.id, claimed)
    }
    const reason = 'no longer wanted'
    const wishes = [retried, crashed, ended, undone, parked].map((id) =>
      cancel(id!, { to: { ...states.deleted, reason } }),
    )
    for (const wish of wishes) assert.equal((await t.applyOne(wish)).ok, 'signalled')
    const outcomes = await worker.apply(
      retry(claims.get(retried)!, 5_000),
      handBack(claims.get(undone)!),
      park(claims.get(parked)!, 'x@1'),
    )
    assert.deepEqual(
      outcomes.map(({ ok }) => ok),
      ['applied', 'applied', 'applied'],
    )
    await leaving.end()
    await t.bury(doomed)
    for (const id of [retried, crashed, ended, undone, parked]) {
      const view = await t.view(id!)
      assert.equal(view.state.phase, 'deleted')
      assert.equal(view.state.reason, reason)
    }
    assert.ok(
      (await t.history(retried!)).some(({ phase }) => phase === 'failed'),
      'the failed run stays on record',
    )
    assert.deepEqual(await worker.claim(10), [])
  },

  '127 a job parked by one server is adopted by another that opened earlier': async (t) => {
    const early = await t.worker({ server: 'new version' })
    assert.deepEqual(await early.claim(1, { adopt: ['mail.send@2'] }), [])
    const late = await t.worker({ server: 'old version' })
    const made = await t.create(jobs(6, () => ({ version: 2 })))
    const unknown = await late.claim(6)
    await late.done(...unknown.map((found) => park(found, 'mail.send@2')))
    assert.deepEqual(
      await t.phases(made),
      made.map(() => 'parked'),
    )

    const told = await early.exchange({ claim: early.asking(4) })
    assert.deepEqual(told.claimed, [])
    assert.equal(told.adoptable, true, 'and is told so')
    const adopted: ClaimedJob[] = []
    while (adopted.length < 6) {
      const part = await early.claim(4, { adopt: ['mail.send@2'] })
      assert.ok(part.length > 0 && part.length <= 2, `at most half of what was asked for, ${part.length}`)
      adopted.push(...part)
    }
    assert.deepEqual(idsOf(adopted), made)
    assert.ok(adopted.every(({ attempt }) => attempt === 1))
    await early.done(handBack(adopted[0]!))
    assert.equal(await t.phase(made[0]!), 'parked', 'undone, it is parked again and not ready')
    await early.end()
    assert.deepEqual(
      await t.phases(made),
      made.map(() => 'parked'),
    )
    assert.deepEqual(await late.claim(10), [])
  },

  '128 `replaces` hands back what was not yet recovered, uncharged': async (t) => {
    const made = await t.create(jobs(2))
    const old = await t.worker()
    await old.claim(2)
    const next = await t.worker({ replaces: old.session })
    const views = await t.views(made)
    assert.deepEqual(
      views.map((view) => [view?.state.phase, view?.attempt, view?.crashes]),
      [
        ['ready', 0, 0],
        ['ready', 0, 0],
      ],
    )
    await assert.rejects(old.exchange(), { code: 'Q_SESSION_LOST' })
    assert.equal(await old.heartbeat(), false)
    assert.deepEqual(idsOf(await next.claim(2)), made)

    await next.end()
    const doomed = await t.worker({ ttl: 60 })
    await doomed.claim(2)
    await t.bury(doomed)
    await t.worker({ replaces: doomed.session })
    for (const view of await t.views(made))
      assert.deepEqual([view?.attempt, view?.crashes], [1, 1], 'recovered is recovered')
  },

  '134 a heartbeat is answered while an exchange of its session is busy': async (t) => {
    const many = t.size(400, 1_000)
    await t.create(jobs(2 * many))
    const worker = await t.worker()
    const other = t.another()
    const claimed = await worker.claim(many)
    const busy = worker.exchange({ apply: claimed.map((found) => fail(found)), claim: worker.asking(many) })
    const from = performance.now()
    const [beat] = await other.work.heartbeat([worker.session])
    const tookMs = performance.now() - from
    assert.equal(beat?.alive, true)
    assert.ok(tookMs < 5_000, `the heartbeat took ${tookMs.toFixed(0)} ms`)
    const reply = await busy
    assert.ok(reply.applied.every(({ ok }) => ok === 'applied'))
    if (t.storage.capabilities.transactionalCreate && t.storage.capabilities.multiHost) await beatWhileStalled(t)
  },
})

async function fastestBeat(worker: TestWorker): Promise<number> {
  let best = Infinity
  for (let n = 0; n < 20; n++) {
    const from = performance.now()
    await worker.heartbeat()
    best = Math.min(best, performance.now() - from)
  }
  return best
}

/** The follow-up of an exchange waits for a unique key that an open transaction has taken; its session lives on. */
async function beatWhileStalled(t: CaseContext): Promise<void> {
  const open = await t.scratch.transaction?.()
  assert.ok(open, 'a storage with transactionalCreate gives the suite a transaction')
  const keyed = (): NewJob => job({ queue: 'keyed', unique: { key: 'taken', until: 'final', conflict: 'skip' } })
  const { jobs: room } = t.storage as TransactionalStorage<unknown>
  assert.equal((await room.within(open.tx).create([keyed()]))[0]?.ok, 'created')
  const id = await t.created(job({ queue: 'stalled' }))
  const worker = await t.worker({ queues: ['stalled'], ttl: 4_000 })
  const claimed = await worker.claimOne()
  const stalled = worker.apply(succeed(claimed, { create: [keyed()] }))
  const [beat] = await t.another().work.heartbeat([worker.session])
  assert.equal(beat?.alive, true)
  const [outcome] = await stalled
  assert.ok(outcome?.ok === 'busy' || outcome?.ok === 'applied', `the exchange gave up waiting: ${outcome?.ok}`)
  await open.rollback()
  if (outcome.ok === 'busy') await worker.done(succeed(claimed, { create: [keyed()] }))
  assert.equal(await t.phase(id), 'succeeded')
}

/** Every active job is held by a session that exists. */
async function assertNoOrphans(t: CaseContext): Promise<void> {
  const living = new Set((await t.storage.monitor.sessions()).map(({ id }) => id))
  const { items } = await t.storage.monitor.list({ phase: ['active'] }, { limit: 100 })
  let held = 0
  for (const session of living) held += (await t.storage.monitor.list({ session }, { limit: 100 })).items.length
  assert.equal(held, items.length, 'no active job without a session')
}

/** Claims of a session while others bury it: each either counts, and is recovered, or never was. */
async function raceWithBurial(t: CaseContext): Promise<void> {
  const queue = newId()
  const rounds = t.size(10, 200)
  const made = await t.create(jobs(rounds * 2, () => ({ queue })))
  for (let round = 0; round < rounds; round++) {
    const doomed = await t.worker({ ttl: 24, queues: [queue] })
    await t.storage.upkeep.recover(100)
    await t.elapse(13)
    await t.storage.upkeep.recover(100)
    await t.elapse(13)
    const [claimed] = await Promise.allSettled([doomed.claim(2), t.another().upkeep.recover(100)])
    if (claimed.status === 'rejected') assert.equal(Reflect.get(claimed.reason, 'code'), 'Q_SESSION_LOST')
    await assertNoOrphans(t)
    const isAlive = await doomed.heartbeat()
    if (claimed.status === 'fulfilled' && isAlive) await doomed.end()
  }
  await t.until('all are ready again', async () => {
    await t.storage.upkeep.recover(500)
    return (await t.phases(made)).every((phase) => phase === 'ready' || phase === 'failed')
  })
}
