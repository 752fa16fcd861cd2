import assert from 'node:assert/strict'
import type { JobId, NewJob, RecurringPut, RecurringRecord, RecurringTick } from '@q/core/storage'
import { isQError } from '@q/core/storage'
import type { Chapter } from './chapter.ts'
import { chapter } from './chapter.ts'
import type { CaseContext } from './context.ts'
import { idsOf, job, newId, states, succeed } from './records.ts'

export const recurring: Chapter = chapter('Recurring', {
  '95 of ten servers one makes the occurrence': async (t) => {
    const record = await put(t, 'nightly')
    const instances = [t.storage, t.another(), t.another()]
    const rounds = t.size(5, 50)
    let current = record
    for (let round = 0; round < rounds; round++) {
      const replies = await Promise.all(
        Array.from({ length: 10 }, (_, n) => instances[n % 3]!.recurring.tick([tick(current, 60_000)])),
      )
      const winners = replies.filter(([reply]) => reply!.ok)
      assert.equal(winners.length, 1)
      assert.deepEqual(winners[0]![0]!.created, [{ ok: 'created' }])
      current = await recordOf(t, 'nightly')
      assert.equal(current.nextAt, record.nextAt! + 60_000 * (round + 1))
      assert.ok(current.version > record.version)
    }
    const claimed = await (await t.worker()).claimAll()
    assert.equal(claimed.length, rounds)
    assert.deepEqual(claimed[0]?.recurring, { id: 'nightly', at: record.nextAt })
  },

  '96 a tick loses against a change it has not seen': async (t) => {
    const seen = await put(t, 'hourly')
    const [changed] = await t.storage.recurring.put([{ ...recordPut('hourly', seen.nextAt), spec: 'every 2h' }])
    assert.equal(changed?.ok, true)
    assert.ok(changed.version > seen.version)
    const lost = tick(seen, 60_000)
    const [reply] = await t.storage.recurring.tick([lost])
    assert.equal(reply?.ok, false)
    assert.deepEqual(await t.phases(idsOf(lost.jobs)), [null])
    assert.equal((await recordOf(t, 'hourly')).nextAt, seen.nextAt)

    const stale = await t.storage.recurring.put([
      { ...recordPut('hourly', seen.nextAt), spec: 'x', expect: seen.version },
    ])
    assert.deepEqual(stale, [{ ok: false, version: changed.version }])
    const [taken] = await t.storage.recurring.put([{ ...recordPut('hourly', seen.nextAt), expect: 0 }])
    assert.equal(taken?.ok, false, 'expected not to exist')
    const [unknown] = await t.storage.recurring.tick([{ id: 'nobody', expect: 1, nextAt: null, jobs: [job()] }])
    assert.equal(unknown?.ok, false)
    assert.deepEqual(await t.storage.recurring.remove([{ id: 'hourly', expect: seen.version }]), [false])
    assert.deepEqual(await t.storage.recurring.remove([{ id: 'hourly', expect: changed.version }, { id: 'nobody' }]), [
      true,
      false,
    ])
  },

  '97 a tick and its jobs are one step': async (t) => {
    for (const line of await t.lines()) {
      let happened = 0
      for (let skip = 0; skip < 6; skip++) {
        const id = `${line.carries}-${skip}`
        const record = await put(t, id)
        const step = tick(record, 60_000)
        const before = line.struck
        line.loseReply(skip)
        await line.storage.recurring.tick([step]).catch((error: unknown) => {
          assert.ok(isQError(error, 'Q_AMBIGUOUS') || isQError(error, 'Q_STORAGE_UNAVAILABLE'), String(error))
        })
        line.heal()
        const moved = (await recordOf(t, id)).nextAt !== record.nextAt
        assert.deepEqual(await t.phases(idsOf(step.jobs)), [moved ? 'ready' : null])
        if (moved) happened++
        await t.storage.recurring.tick([step])
        assert.deepEqual(await t.phases(idsOf(step.jobs)), ['ready'])
        assert.equal((await recordOf(t, id)).nextAt, record.nextAt! + 60_000)
        if (line.struck === before) break
      }
      assert.ok(happened > 0)
    }
    const record = await put(t, 'mixed')
    const bad = { ...tick(record, 60_000), jobs: [occurrence(record), job({ priority: -1 })] }
    const [reply] = await t.storage.recurring.tick([bad])
    assert.deepEqual(
      reply?.created.map(({ ok }) => ok),
      ['created', 'invalid'],
      'one bad job stops neither the schedule nor its neighbours',
    )
  },

  '98 missed occurrences are for the framework to decide: the storage makes what it is given': async (t) => {
    const record = await put(t, 'missed')
    const at = record.nextAt!
    const late = [at, at + 1_000, at + 2_000].map((instant) => occurrence(record, instant))
    const [reply] = await t.storage.recurring.tick([{ ...tick(record, 3_000), jobs: late }])
    assert.deepEqual(
      reply?.created.map(({ ok }) => ok),
      ['created', 'created', 'created'],
    )
    const after = await recordOf(t, 'missed')
    assert.equal(after.lastAt, at + 2_000)
    assert.equal(after.lastJob, late[2]!.id)
    assert.equal(after.nextAt, at + 3_000)
    const [skipped] = await t.storage.recurring.tick([{ ...tick(after, 9_000), jobs: [] }])
    assert.equal(skipped?.ok, true)
    const last = await recordOf(t, 'missed')
    assert.equal(last.nextAt, at + 3_000 + 9_000)
    assert.equal(last.lastAt, at + 2_000, 'nothing ran, nothing was last')

    const worker = await t.worker()
    const claimed = await worker.claim(3)
    assert.deepEqual(idsOf(claimed), idsOf(late))
    await worker.done(succeed(claimed[0]!, { ranMs: 7 }))
    const runs = await t.storage.recurring.runs('missed', 2)
    assert.deepEqual(
      runs.map(({ job: id, at: instant, phase }) => [id, instant, phase]),
      [
        [late[2]!.id, at + 2_000, 'active'],
        [late[1]!.id, at + 1_000, 'active'],
      ],
    )
    const [, , oldest] = await t.storage.recurring.runs('missed', 10)
    assert.deepEqual([oldest?.phase, oldest?.ranMs], ['succeeded', 7])
  },

  '99 a record deleted during its tick makes at most that one occurrence': async (t) => {
    const other = t.another()
    const rounds = t.size(30, 300)
    let made = 0
    for (let round = 0; round < rounds; round++) {
      const id = `short-lived-${round}`
      const step = tick(await put(t, id), 60_000)
      const ticking = () => t.storage.recurring.tick([step])
      const removing = () => other.recurring.remove([{ id }])
      const [first, second] = await Promise.all(round % 2 ? [ticking(), removing()] : [removing(), ticking()])
      const ticked = (round % 2 ? first : second)[0]
      assert.ok(typeof ticked === 'object')
      assert.deepEqual(await t.phases(idsOf(step.jobs)), [ticked.ok ? 'ready' : null])
      if (ticked.ok) made++
      assert.deepEqual((await t.storage.monitor.recurring({ limit: 5, ids: [id] })).items, [])
      assert.equal((await t.storage.recurring.tick([step]))[0]?.ok, false)
    }
    assert.equal((await t.storage.monitor.counts()).byPhase.ready, made)
  },

  '100 due records are delivered in chunks, soonest first': async (t) => {
    const now = await t.now()
    const count = t.size(250, 10_000)
    const puts = Array.from({ length: count }, (_, n) => recordPut(`due-${n}`, now - count + n))
    const { maxBatch } = t.storage.capabilities
    for (let from = 0; from < count; from += maxBatch) await t.storage.recurring.put(puts.slice(from, from + maxBatch))
    await t.storage.recurring.put([
      recordPut('later', now + 3_600_000),
      recordPut('never', null),
      { ...recordPut('paused', now - 5_000), paused: { at: now } },
      { ...recordPut('pause is over', now - 2 * count), paused: { at: now - 10_000, until: now - 1 } },
    ])
    const seen: string[] = []
    for (;;) {
      const { due, now: at, nextDue } = await t.storage.recurring.due(100)
      if (due.length === 0) {
        assert.equal(nextDue, now + 3_600_000)
        break
      }
      assert.ok(due.length <= 100)
      assert.ok(due.every((record) => record.nextAt! <= at))
      seen.push(...due.map(({ id }) => id))
      const replies = await t.storage.recurring.tick(
        due.map((record) => ({ ...tick(record, 0), nextAt: null, jobs: [] })),
      )
      assert.ok(replies.every(({ ok }) => ok))
    }
    assert.equal(new Set(seen).size, seen.length)
    assert.deepEqual(
      seen.filter((id) => id !== 'pause is over'),
      puts.map(({ id }) => id),
    )
    assert.equal(seen.length, count + 1, 'a pause that is over holds up nothing')
    const page = await t.storage.monitor.recurring({ limit: 3, ids: ['due-1', 'later', 'nobody'] })
    assert.deepEqual(
      page.items.map(({ id }) => id),
      ['due-1', 'later'],
    )
  },

  '131 an occurrence is skipped while the last one runs, decided in the tick': async (t) => {
    const record = await put(t, 'overlap')
    const first = tick(record, 60_000)
    await t.storage.recurring.tick([first])
    const running = idsOf(first.jobs)[0]!
    const worker = await t.worker()
    const tickWhile = async (skipWhile: JobId) => {
      const step = { ...tick(await recordOf(t, 'overlap'), 60_000), skipWhile }
      const [reply] = await t.storage.recurring.tick([step])
      assert.equal(reply?.ok, true, 'the schedule moves on')
      return { skipped: reply.skipped === true, phase: await t.phase(step.jobs[0]!.id), created: reply.created.length }
    }
    const skipped = { skipped: true, phase: null, created: 0 }
    const made = { skipped: false, phase: 'ready', created: 1 }
    assert.deepEqual(await tickWhile(running), skipped)
    const claimed = await worker.claimOne()
    assert.deepEqual(await tickWhile(running), skipped)
    await worker.done(succeed(claimed))
    assert.deepEqual(await tickWhile(running), made)
    assert.deepEqual(await tickWhile(newId()), made, 'a job that is gone keeps nobody')
    assert.equal((await recordOf(t, 'overlap')).nextAt, record.nextAt! + 5 * 60_000)
  },

  '138 putting an unchanged record changes nothing': async (t) => {
    const made = recordPut('same', (await t.now()) - 1_000)
    const [first] = await t.storage.recurring.put([made])
    assert.equal(first?.ok, true)
    const before = await recordOf(t, 'same')
    assert.deepEqual(await t.storage.recurring.put([made]), [{ ok: true, version: first.version }])
    assert.deepEqual(await recordOf(t, 'same'), before)
    const [ticked] = await t.storage.recurring.tick([tick(before, 60_000)])
    assert.equal(ticked?.ok, true)
    const moved = await recordOf(t, 'same')
    await t.storage.recurring.put([made])
    assert.deepEqual(
      await recordOf(t, 'same'),
      moved,
      'the same definition again keeps the next instant, whatever it says',
    )
    const [changed] = await t.storage.recurring.put([{ ...made, owner: 'app', revision: 2 }])
    assert.ok(changed?.ok && changed.version > first.version)
    const after = await recordOf(t, 'same')
    assert.equal(after.owner, 'app')
    assert.equal(after.revision, 2)
  },
})

function recordPut(id: string, nextAt: number | null): RecurringPut {
  const template: NewJob = { ...job({ id: '0'.repeat(26), payload: `of ${id}` }) }
  return { id, spec: '{"every":"1m"}', job: template, nextAt }
}

/** A record whose next occurrence was due a moment ago. */
async function put(t: CaseContext, id: string): Promise<RecurringRecord> {
  const [reply] = await t.storage.recurring.put([recordPut(id, (await t.now()) - 1_000)])
  assert.equal(reply?.ok, true)
  return recordOf(t, id)
}

async function recordOf(t: CaseContext, id: string): Promise<RecurringRecord> {
  const { items } = await t.storage.monitor.recurring({ limit: 2, ids: [id] })
  assert.equal(items.length, 1)
  return items[0]!
}

function occurrence(record: RecurringRecord, at: number = record.nextAt!): NewJob {
  return job({ payload: record.job.payload, state: states.enqueued, recurring: { id: record.id, at } })
}

function tick(record: RecurringRecord, stepMs: number): RecurringTick {
  return { id: record.id, expect: record.version, nextAt: (record.nextAt ?? 0) + stepMs, jobs: [occurrence(record)] }
}
