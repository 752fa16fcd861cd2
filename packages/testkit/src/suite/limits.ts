import assert from 'node:assert/strict'
import type { ClaimedJob, Gate, JobStorage, NewJob } from '@q/core/storage'
import type { Chapter } from './chapter.ts'
import { chapter } from './chapter.ts'
import { withinFactor } from './claim.ts'
import type { CaseContext } from './context.ts'
import { chunks } from './context.ts'
import {
  child,
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
import type { TestWorker } from './worker.ts'

type Unique = NonNullable<NewJob['unique']>

const printer: Gate = { key: 'printer', limit: 1 }

export const limits: Chapter = chapter('Unique, gates, limits, locks', {
  '86 a unique key has one holder, also among a hundred concurrent creators': async (t) => {
    const first = job({ unique: unique('report') })
    await t.created(first)
    const second = job({ unique: unique('report') })
    assert.deepEqual(await t.storage.jobs.create([second]), [{ ok: 'duplicate', holder: first.id }])
    assert.equal(await t.phase(second.id), null, 'nothing was stored')
    assert.deepEqual(await t.storage.jobs.create([first]), [{ ok: 'exists' }], 'a repeat is no duplicate of itself')
    const [a, b] = jobs(2, () => ({ unique: unique('batch') }))
    assert.deepEqual(await t.storage.jobs.create([a!, b!]), [{ ok: 'created' }, { ok: 'duplicate', holder: a!.id }])

    const instances = [t.storage, t.another(), t.another()]
    const contenders = jobs(100, () => ({ unique: unique('race') }))
    const outcomes = await Promise.all(
      contenders.map(async (one, index) => (await instances[index % 3]!.jobs.create([one]))[0]!),
    )
    const winners = contenders.filter((_, index) => outcomes[index]!.ok === 'created')
    assert.equal(winners.length, 1)
    for (const outcome of outcomes) {
      if (outcome.ok !== 'created') assert.deepEqual(outcome, { ok: 'duplicate', holder: winners[0]!.id })
    }
  },

  '87 a unique key is freed by the claim, by the end, or by its time': async (t) => {
    const untilClaimed = unique('claimed', { until: 'claimed' })
    const untilFinal = unique('final')
    const ttl = 120
    const from = await t.now()
    await t.create([
      job({ unique: untilClaimed }),
      job({ unique: untilFinal }),
      job({ unique: unique('ttl', { ttl }) }),
    ])
    const worker = await t.worker()
    const [first, second] = await worker.claim(2)
    assert.equal(await take(t, untilClaimed), 'created')
    assert.equal(await take(t, untilFinal), 'duplicate')
    await worker.done(retry(second!, 60_000))
    assert.equal(await take(t, untilFinal), 'duplicate', 'held through retries')
    assert.equal((await t.applyOne(command(second!.id, ['scheduled'], states.enqueued))).ok, 'applied')
    assert.equal(await take(t, untilFinal), 'duplicate')
    assert.equal((await t.applyOne(remove(second!.id))).ok, 'applied')
    assert.equal(await take(t, untilFinal), 'created', 'deleted is an end as well')
    await worker.done(succeed(first!))

    await t.until('the key of the third is free again', async () => (await take(t, unique('ttl'))) === 'created')
    assert.ok((await t.now()) - from >= ttl)
  },

  '88 `replace` swaps a holder that waits, never one that runs': async (t) => {
    const swap = unique('digest', { conflict: 'replace' })
    const old = await t.created(job({ unique: swap }))
    const follower = await t.created(child(old, { queue: 'children' }))
    const next = job({ unique: swap })
    assert.deepEqual(await t.storage.jobs.create([next]), [{ ok: 'created', replaced: old }])
    await t.settle()
    const view = await t.view(old)
    assert.equal(view.state.phase, 'deleted')
    assert.equal(view.state.reason, `replaced by ${next.id}`)
    assert.equal(await t.phase(follower), 'deleted', 'with all that follows')
    const worker = await t.worker()
    const claimed = await worker.claimOne()
    assert.equal(claimed.id, next.id)
    const late = job({ unique: swap })
    assert.deepEqual(await t.storage.jobs.create([late]), [{ ok: 'duplicate', holder: next.id }])
    await worker.done(retry(claimed, 60_000))
    assert.deepEqual(await t.storage.jobs.create([late]), [{ ok: 'created', replaced: next.id }], 'it waits again')
    assert.deepEqual(idsOf(await worker.claim(10)), [late.id])
  },

  '89 the limit of a gate is never exceeded': async (t) => {
    const gates = [{ key: 'printer', limit: 3 }]
    const made = await t.create(
      jobs(t.size(90, 900), (index) => ({ queue: 'ab'.charAt(index % 2), ...(index % 4 === 3 ? {} : { gates }) })),
    )
    const last = await t.created(job({ queue: 'never', gates }))
    let inside = 0
    let most = 0
    let done = 0
    const run = async (worker: TestWorker): Promise<void> => {
      while (done < made.length) {
        const claimed = await worker.claim(2)
        const gated = claimed.filter(({ id }) => made.indexOf(id) % 4 !== 3)
        inside += gated.length
        most = Math.max(most, inside)
        const seen = (await t.storage.monitor.standing(last))?.gates[0]
        assert.ok(seen && seen.used <= 3 && seen.holders.length <= 3, `seen inside: ${seen?.used}`)
        inside -= gated.length
        await worker.done(...claimed.map((found) => (found.attempt === 1 ? retry(found) : succeed(found))))
        done += claimed.filter(({ attempt }) => attempt === 2).length
        if (claimed.length === 0) await t.settle()
      }
    }
    await Promise.all((await workers(t, 6, ['a', 'b'])).map(run))
    assert.ok(most <= 3, `${most} were inside at once`)
    assert.ok(most > 1, 'and several were')
    assert.equal((await t.storage.monitor.standing(last))?.gates[0]?.used, 0)
  },

  '90 a freed gate leaves nobody asleep': async (t) => {
    const gates = [printer]
    const worker = await t.worker({ queues: ['a', 'b'] })
    const [holder, a1, a2, b1] = await t.create([
      job({ queue: 'a', gates }),
      job({ queue: 'a', gates }),
      job({ queue: 'a', gates }),
      job({ queue: 'b', gates }),
    ])
    let inside = await worker.claimOne()
    assert.equal(inside.id, holder)
    assert.deepEqual(await worker.claimAll(), [], 'the others wait')
    assert.deepEqual(await t.phases([a1!, a2!, b1!]), ['ready', 'ready', 'ready'])

    // The oldest of each queue is offered: whichever queue is asked first has it.
    await worker.done(succeed(inside))
    inside = await next(t, worker, ['b'])
    assert.equal(inside.id, b1)
    assert.deepEqual(await worker.claimAll(), [])
    await worker.done(succeed(inside))
    inside = await next(t, worker, ['a', 'b'])
    assert.equal(inside.id, a1)

    // A waiter that is deleted after it was offered passes the offer on.
    const a3 = await t.created(job({ queue: 'a', gates }))
    assert.deepEqual(await worker.claimAll(), [])
    await worker.done(succeed(inside))
    assert.equal((await t.applyOne(remove(a2!))).ok, 'applied')
    inside = await next(t, worker, ['a'])
    assert.equal(inside.id, a3)

    // A paused queue does not keep the others asleep.
    const [paused, free] = await t.create([job({ queue: 'a', gates }), job({ queue: 'b', gates })])
    assert.deepEqual(await worker.claimAll(), [])
    await t.storage.queues.set('a', { paused: { at: await t.now() } })
    await worker.done(succeed(inside))
    inside = await next(t, worker, ['a', 'b'])
    assert.equal(inside.id, free)
    await worker.done(succeed(inside))
    await t.storage.queues.set('a', { paused: null })
    inside = await next(t, worker, ['a', 'b'])
    assert.equal(inside.id, paused)

    // The limit is that of the job being claimed.
    const narrow = await t.created(job({ queue: 'a', gates }))
    const wide = await t.created(job({ queue: 'a', gates: [{ key: 'printer', limit: 2 }] }))
    const second = await next(t, worker, ['a'])
    assert.equal(second.id, wide)
    await worker.done(succeed(second))
    assert.deepEqual(await worker.claimAll(), [])
    await worker.done(succeed(inside))
    assert.equal((await next(t, worker, ['a'])).id, narrow)
    assert.deepEqual(await worker.claimAll(), [])
  },

  '91 many gated jobs do not slow the others': {
    alone: true,
    async body(t) {
      const worker = await t.worker()
      const alone = await fastestClaim(t, worker)
      const gates = [printer]
      await t.created(job({ gates, priority: 0 }))
      await worker.claimOne()
      await t.create(jobs(t.size(3_000, 100_000), () => ({ gates, priority: 0 })))
      // The first claims set them aside, some hundred at a time.
      assert.deepEqual(await worker.claimAll(), [])
      await withinFactor(2, alone, () => fastestClaim(t, worker))
    },
  },

  '92 whatever ends a claim frees its gates': async (t) => {
    const gates = [printer, { key: 'scanner', limit: 1 }]
    const made = await t.create(jobs(2, () => ({ gates })))
    const worker = await t.worker()
    const doomed = await t.worker({ ttl: 60 })
    const ways: Record<string, (claimed: ClaimedJob, holder: TestWorker) => Promise<unknown>> = {
      success: (claimed, holder) => holder.done(succeed(claimed)),
      retry: (claimed, holder) => holder.done(retry(claimed)),
      'hand back': (claimed, holder) => holder.done(handBack(claimed)),
      force: (claimed) => t.apply(command(claimed.id, ['active'], states.enqueued, { force: true })),
    }
    for (const [way, end] of Object.entries(ways)) {
      const claimed = await next(t, worker, [mail])
      assert.deepEqual(await worker.claim(5), [], way)
      await end(claimed, worker)
      const after = await next(t, worker, [mail])
      await worker.done(retry(after))
      if (way === 'success') await t.apply(requeue(claimed.id))
    }
    await next(t, doomed, [mail])
    assert.deepEqual(await worker.claim(5), [])
    assert.equal((await t.bury(doomed)).length, 1)
    const leaving = await t.worker()
    await next(t, leaving, [mail])
    assert.deepEqual(await worker.claim(5), [])
    await leaving.end()
    const last = await next(t, worker, [mail])
    await worker.done(succeed(last))
    await worker.done(fail(await next(t, worker, [mail])))
    assert.deepEqual(new Set(await t.phases(made)), new Set(['failed', 'succeeded']))
  },

  '93 a lock has one owner, a growing fence, and an end': async (t) => {
    const { locks } = t.storage
    const other = t.another()
    const from = await t.now()
    const grant = await locks.acquire('import', 'owner-1', 60_000)
    assert.ok(grant)
    assert.equal(grant.name, 'import')
    assert.equal(grant.owner, 'owner-1')
    assert.ok(grant.expiresAt >= from + 60_000 && grant.expiresAt <= (await t.now()) + 60_000)
    assert.equal(await locks.acquire('import', 'owner-2', 60_000), null, 'not even in the same process')
    assert.equal(await other.locks.acquire('import', 'owner-2', 60_000), null)
    const renewed = await other.locks.acquire('import', 'owner-1', 120_000)
    assert.equal(renewed?.fence, grant.fence, 'the same owner renews')
    assert.ok(renewed.expiresAt > grant.expiresAt)
    assert.equal(await locks.release('import', 'owner-2'), false)
    assert.equal(await locks.acquire('import', 'owner-2', 60_000), null)

    let woken = 0
    const watch = await other.wakeups.watch([{ lock: 'import' }], () => woken++)
    assert.equal(await locks.release('import', 'owner-1'), true)
    assert.equal(await locks.release('import', 'owner-1'), false)
    if (t.storage.capabilities.push) await t.until('the waiter is woken', async () => woken > 0)
    await watch.close()
    const next = await other.locks.acquire('import', 'owner-2', 80)
    assert.ok(next && next.fence > grant.fence, 'the fence grows')

    const third = await t.until('the lock expires', () => locks.acquire('import', 'owner-3', 60_000))
    assert.ok(third.fence > next.fence)
    assert.equal(await other.locks.release('import', 'owner-2'), false, 'an owner of the past frees nothing')
    const rush = await Promise.all(
      Array.from({ length: 20 }, (_, n) => (n % 2 ? other : t.storage).locks.acquire('rush', `rusher-${n}`, 60_000)),
    )
    assert.equal(rush.filter((got) => got !== null).length, 1)
    assert.ok(await locks.acquire('toString', 'owner-1', 60_000))
  },

  '94 a rate gate keeps its bound over many claimers, and the order of its waiters': async (t) => {
    const rate = { max: 3, per: 90 }
    const gates = [{ key: 'api', rate }]
    const made = await t.create(jobs(24, () => ({ gates })))
    const claimers = await workers(t, 10, [mail])
    const started: ClaimedJob[] = []
    for (let turn = 0; started.length < 9; turn++) {
      const claimer = claimers[turn % claimers.length]!
      const claimed = await claimer.claim(2)
      started.push(...claimed)
      if (claimed.length > 0) continue
      await t.elapse(10)
      await t.settle()
    }
    assert.deepEqual(idsOf(started), made.slice(0, started.length), 'one after the other, in the order of creation')
    await Promise.all(
      claimers.map((claimer) =>
        t.until('all have started', async () => {
          const claimed = await claimer.claim(1)
          started.push(...claimed)
          if (claimed.length === 0) await claimer.storage.upkeep.promote(100)
          return started.length === made.length
        }),
      ),
    )
    assert.deepEqual(idsOf(started).toSorted(), made.toSorted())
    const at = started.map(({ claimedAt }) => claimedAt).toSorted((a, b) => a - b)
    for (const [index, instant] of at.entries()) {
      const inWindow = at.filter((other) => other >= instant && other < instant + rate.per).length
      assert.ok(inWindow <= 2 * rate.max, `${inWindow} starts within ${rate.per} ms`)
      const allowed = rate.max + Math.ceil((rate.max * (instant - at[0]!)) / rate.per) + 1
      assert.ok(index + 1 <= allowed, `${index + 1} starts after ${instant - at[0]!} ms`)
    }
  },

  '129 a unique key follows its owner through undo, expiry, requeue and replacement': async (t) => {
    const worker = await t.worker()
    const claimedKey = unique('undone', { until: 'claimed' })
    const undone = await t.created(job({ unique: claimedKey }))
    await worker.done(handBack(await worker.claimOne()))
    const heir = job({ unique: claimedKey })
    assert.equal((await t.storage.jobs.create([heir]))[0]?.ok, 'created', 'given up at the first claim, for good')
    assert.equal((await t.applyOne(remove(undone))).ok, 'applied')
    assert.equal(await take(t, claimedKey), 'duplicate', 'only the owner frees it')
    await t.apply(remove(heir.id))

    const expiring = unique('expired')
    const stale = await t.created(job({ unique: expiring, expires: 60 }))
    await t.elapse(80)
    await t.until('the expired job gives its key back', async () => {
      await t.settle()
      await worker.claim(5)
      return (await t.phase(stale)) === 'deleted'
    })
    assert.equal(await take(t, expiring), 'created')
    await worker.done(...(await worker.claim(5)).map((found) => succeed(found)))

    const key = unique('requeued')
    const first = await t.created(job({ unique: key }))
    await worker.done(fail(await worker.claimOne()))
    const second = job({ unique: key })
    await t.create([second])
    assert.deepEqual(await t.applyOne(requeue(first)), { ok: 'duplicate', holder: second.id })
    assert.equal(await t.phase(first), 'failed')
    await worker.done(succeed(await worker.claimOne()))
    assert.equal((await t.applyOne(requeue(first))).ok, 'applied')
    assert.deepEqual(await t.storage.jobs.create([job({ unique: key })]), [{ ok: 'duplicate', holder: first }])
    await t.apply(remove(first))

    const swap = unique('replaced', { conflict: 'replace' })
    const old = await t.created(job({ unique: swap }))
    const young = await t.created(job({ unique: swap }))
    assert.deepEqual(await t.applyOne(requeue(old)), { ok: 'duplicate', holder: young })
    assert.equal(await take(t, unique('replaced')), 'duplicate', 'the replaced one took nothing with it')
    await t.apply(remove(young))

    const short = unique('short', { ttl: 60 })
    const early = await t.created(job({ unique: short }))
    await t.elapse(80)
    const later = job({ unique: unique('short') })
    assert.equal((await t.storage.jobs.create([later]))[0]?.ok, 'created')
    assert.equal((await t.applyOne(remove(early))).ok, 'applied')
    assert.deepEqual(await t.storage.jobs.create([job({ unique: unique('short') })]), [
      { ok: 'duplicate', holder: later.id },
    ])
  },

  "135 completions that free each other's gates do not deadlock": async (t) => {
    const left: Gate = { key: 'left', limit: 2 }
    const right: Gate = { key: 'right', limit: 2 }
    const rounds = t.size(60, 600)
    const made = await t.create(
      jobs(rounds, (index) => ({ queue: 'ab'.charAt(index % 2), gates: index % 2 ? [left, right] : [right, left] })),
    )
    let done = 0
    const run = async (worker: TestWorker): Promise<void> => {
      await t.until('all are done', async () => {
        const claimed = await worker.claim(2)
        if (claimed.length > 0) await worker.done(...claimed.toReversed().map((found) => succeed(found)))
        else await worker.storage.upkeep.promote(100)
        done += claimed.length
        return done >= made.length
      })
    }
    await Promise.all((await workers(t, 4, ['a', 'b'])).map(run))
    assert.equal(done, made.length)
  },

  '136 a slot that is freed while many queues wait is found by any of them, at the price of a few': {
    alone: true,
    async body(t) {
      const gates = [printer]
      const queues = Array.from({ length: t.size(100, 1_000) }, (_, index) => `queue-${index}`)
      const priceOf = async (count: number): Promise<number> => {
        const heard = queues.slice(0, count)
        const worker = await t.worker({ queues: heard })
        const waiting = await t.create(heard.map((queue) => job({ queue, gates })))
        let inside = await worker.claimOne()
        for (const part of heard) assert.deepEqual(await worker.claim(2, { queues: [{ name: part }] }), [])
        let best = Infinity
        for (let round = 1; round < Math.min(count, 30); round++) {
          const from = performance.now()
          await worker.done(succeed(inside))
          best = Math.min(best, performance.now() - from)
          inside = await next(t, worker, heard)
        }
        // A server that hears one queue only gets the slot as well, though seven others were offered it in vain.
        const unheard = await t.created(job({ queue: 'unheard', gates }))
        assert.deepEqual(await worker.claim(1, { queues: [{ name: 'unheard' }] }), [])
        await worker.done(succeed(inside))
        const own = await t.worker({ queues: ['unheard'] })
        const found = await next(t, own, ['unheard'])
        assert.equal(found.id, unheard)
        await own.done(succeed(found))
        for (const part of chunks(waiting, 100)) await t.apply(...part.map((id) => remove(id)))
        return best
      }
      const few = await priceOf(8)
      await withinFactor(5, few, () => priceOf(queues.length))
    },
  },
})

function unique(key: string, over: Partial<Unique> = {}): Unique {
  return { key, until: 'final', conflict: 'skip', ...over }
}

/** What a further job with this key is told. */
async function take(t: CaseContext, key: Unique): Promise<string | undefined> {
  const [outcome] = await t.storage.jobs.create([job({ queue: 'takers', unique: { ...key, conflict: 'skip' } })])
  return outcome?.ok
}

/** The next job of these queues, which must come: claims and upkeep find whoever may go on. */
async function next(t: CaseContext, worker: TestWorker, queues: readonly string[]): Promise<ClaimedJob> {
  return t.until(`a job of ${queues.slice(0, 3).join(', ')} is claimed`, async () => {
    const [claimed] = await worker.claim(1, { queues: queues.map((name) => ({ name })) })
    if (claimed === undefined) await t.settle()
    return claimed
  })
}

async function workers(t: CaseContext, count: number, queues: readonly string[]): Promise<TestWorker[]> {
  const instances: JobStorage[] = [t.storage, t.another(), t.another()]
  return Promise.all(
    Array.from({ length: count }, (_, n) => t.worker({ storage: instances[n % 3], queues, server: newId() })),
  )
}

/** The fastest of many claims of one plain job behind whatever else is there, in ms. */
async function fastestClaim(t: CaseContext, worker: TestWorker): Promise<number> {
  let best = Infinity
  for (let n = 0; n < 25; n++) {
    await t.created(job())
    const from = performance.now()
    const [claimed] = await worker.claim(1)
    best = Math.min(best, performance.now() - from)
    await worker.done(succeed(claimed!))
  }
  return best
}
