import assert from 'node:assert/strict'
import { histogramIndex } from '@q/core/storage'
import type { JobId, JobQuery, JobSummary, PageRequest, Phase } from '@q/core/storage'
import type { Chapter } from './chapter.ts'
import { chapter } from './chapter.ts'
import type { CaseContext } from './context.ts'
import { child, fail, idsOf, job, jobs, mail, newId, park, remove, retry, states, succeed } from './records.ts'

export const monitor: Chapter = chapter('Monitoring', {
  '108 when quiet, counts equal a full walk': async (t) => {
    const now = await t.now()
    await t.create(
      jobs(20, (index) => ({ queue: 'ab'.charAt(index % 2), name: `job-${index % 3}`, tags: [`tag-${index % 4}`] })),
    )
    await t.create(jobs(4, (index) => ({ queue: 'a', state: states.scheduled, at: now + 60_000 * (index + 1) })))
    const parent = await t.created(job({ queue: 'b', priority: 200 }))
    await t.create([child(parent, { queue: 'a' }), child(parent, { queue: 'b' })])
    const worker = await t.worker({ queues: ['a', 'b'] })
    const claimed = await worker.claim(9)
    await worker.done(
      succeed(claimed[0]!),
      succeed(claimed[1]!),
      fail(claimed[2]!),
      retry(claimed[3]!, 60_000),
      park(claimed[4]!, 'x@1'),
      succeed(claimed[5]!, { to: states.deleted }),
    )
    const all = await walk(t, {})
    assert.equal(new Set(idsOf(all)).size, 27)
    const counts = await t.storage.monitor.counts()
    assert.equal(counts.exact, true)
    assert.deepEqual({ ...counts.byPhase }, tally(all.map(({ state }) => state.phase)))
    assert.equal(counts.retrying, 1)
    for (const queue of ['a', 'b']) {
      const of = (phase: Phase): number => all.filter((one) => one.queue === queue && one.state.phase === phase).length
      const { ready, active, scheduled, oldestReadyAt } = counts.byQueue[queue]!
      assert.deepEqual(
        { ready, active, scheduled },
        { ready: of('ready'), active: of('active'), scheduled: of('scheduled') },
      )
      assert.ok(oldestReadyAt! <= (await t.now()) && oldestReadyAt! >= now)
    }
    const queries: [JobQuery, (one: JobSummary) => boolean][] = [
      [{ phase: ['ready', 'active'] }, ({ state }) => state.phase === 'ready' || state.phase === 'active'],
      [{ state: ['enqueued'] }, ({ state }) => state.name === 'enqueued'],
      [{ queue: ['a'] }, ({ queue }) => queue === 'a'],
      [{ name: ['job-1', 'job-2'] }, ({ name }) => name === 'job-1' || name === 'job-2'],
      [{ tag: ['tag-1', 'tag-3'] }, ({ tags }) => tags.includes('tag-1') || tags.includes('tag-3')],
      [{ phase: ['active'], session: worker.session }, ({ state }) => state.phase === 'active'],
      [{ minAttempt: 1 }, ({ attempt }) => attempt >= 1],
      [
        { queue: ['a'], phase: ['ready'], name: ['job-0'] },
        (one) => one.queue === 'a' && one.name === 'job-0' && one.state.phase === 'ready',
      ],
    ]
    for (const [query, matches] of queries) {
      const expected = idsOf(all.filter(matches)).toSorted()
      assert.deepEqual(idsOf(await walk(t, query)).toSorted(), expected, JSON.stringify(query))
      assert.deepEqual(await t.storage.monitor.count(query, 1_000), { value: expected.length, exact: true })
    }
    assert.deepEqual(idsOf(await walk(t, { parent })).length, 2)
    assert.deepEqual(await t.storage.monitor.count({}, 10), { value: 10, exact: false })
    const failedOnes = await walk(t, { error: 'Error:boom' })
    assert.deepEqual(
      idsOf(failedOnes).toSorted(),
      idsOf([claimed[2]!, claimed[3]!]).toSorted(),
      'failed, or waiting for a retry',
    )
    assert.deepEqual([...(await t.storage.monitor.names('queue', '', 10))].toSorted(), ['a', 'b'])
    assert.deepEqual([...(await t.storage.monitor.names('job', 'job-', 10))].toSorted(), ['job-0', 'job-1', 'job-2'])
    const due = await walk(t, { phase: ['scheduled'] }, { limit: 3, order: 'due' })
    const dueAt = due.map((one) => one.dueAt!)
    assert.deepEqual(
      dueAt,
      dueAt.toSorted((a, b) => a - b),
    )
  },

  '109 pages repeat nothing and skip nothing old while jobs are added': async (t) => {
    const made = await t.create(jobs(90))
    await t.elapse(3)
    for (const order of ['newest', 'oldest'] as const) {
      const seen: JobId[] = []
      let cursor: string | undefined
      do {
        const page = await t.storage.monitor.list({ queue: [mail] }, { limit: 7, order, cursor })
        seen.push(...idsOf(page.items))
        assert.ok(page.items.length <= 7)
        cursor = page.next
        if (seen.length < 80) await t.create(jobs(2))
        if (seen.length === 28 && order === 'newest') await t.apply(remove(made[60]!))
      } while (cursor !== undefined)
      assert.equal(new Set(seen).size, seen.length, 'no job twice')
      const missed = made.filter((id) => !seen.includes(id) && id !== made[60])
      assert.deepEqual(missed, [], 'no old job missed')
    }
    const all = await walk(t, { queue: [mail], phase: ['ready'] }, { limit: 50, order: 'newest' })
    const at = all.map(({ state }) => state.at)
    assert.deepEqual(
      at,
      at.toSorted((a, b) => b - a),
      'newest first',
    )
    const inClaimOrder = await walk(t, { queue: [mail], phase: ['ready'] }, { limit: 9, order: 'claim' })
    const claimed = await (await t.worker()).claimAll()
    assert.deepEqual(idsOf(inClaimOrder), idsOf(claimed))
    await assert.rejects(t.storage.monitor.list({}, { limit: 5, cursor: 'no cursor at all' }), {
      code: 'Q_OPTION_INVALID',
    })
  },

  '110 of a job that was swept nothing is left to read': async (t) => {
    const id = await t.created(job({ keep: { succeeded: 0 } }))
    const worker = await t.worker()
    await worker.done(succeed(await worker.claimOne()))
    await t.elapse(2)
    await t.until('the job is swept', async () => {
      await t.sweepAll()
      return (await t.phase(id)) === null
    })
    assert.deepEqual(await t.storage.monitor.get([id, newId()]), [null, null])
    assert.deepEqual(await t.history(id), [])
    assert.deepEqual((await t.storage.monitor.logs(id)).items, [])
    assert.equal(await t.storage.monitor.standing(id), null)
    assert.deepEqual((await t.storage.monitor.list({}, { limit: 5 })).items, [])
  },

  '111 series add up to what was done': async (t) => {
    const total = 40
    await t.create(jobs(total, (index) => ({ name: index % 2 ? 'odd' : 'even', queue: index % 4 ? 'a' : 'b' })))
    const worker = await t.worker({ queues: ['a', 'b'] })
    const ok = { all: 0, odd: 0, even: 0, a: 0, b: 0 }
    let failed = 0
    let retried = 0
    for (let claims = 0; ;) {
      const claimed = await worker.claim(6)
      if (claimed.length === 0) break
      for (const found of claimed) {
        claims++
        if (claims % 9 === 0 && found.attempt === 1) {
          retried++
          await worker.done(retry(found, undefined, { ranMs: 3 }))
        } else if (claims % 7 === 0) {
          failed++
          await worker.done(fail(found, { ranMs: 100 }))
        } else {
          for (const key of ['all', found.name, found.queue]) ok[key as keyof typeof ok]++
          await worker.done(succeed(found, { ranMs: 20 }))
        }
      }
    }
    const now = await t.now()
    const range = { from: now - 3_600_000, to: now + 3_600_000 }
    for (const step of ['minute', 'hour', 'day'] as const) {
      const buckets = await t.storage.monitor.series({ by: 'all', step, ...range })
      const sum = (pick: (bucket: (typeof buckets)[number]) => number): number =>
        buckets.reduce((total, bucket) => total + pick(bucket), 0)
      assert.equal(
        sum((bucket) => bucket.created),
        total,
        step,
      )
      assert.equal(
        sum((bucket) => bucket.ok),
        ok.all,
      )
      assert.equal(
        sum((bucket) => bucket.failed),
        failed,
      )
      assert.equal(
        sum((bucket) => bucket.retried),
        retried,
      )
      assert.equal(
        sum((bucket) => bucket.runMs[histogramIndex(20)] ?? 0),
        ok.all,
      )
      assert.equal(
        sum((bucket) => bucket.runMs[histogramIndex(100)] ?? 0),
        failed,
      )
      assert.equal(
        sum((bucket) => bucket.runMs[histogramIndex(3)] ?? 0),
        retried,
      )
      assert.equal(
        sum((bucket) => bucket.waitMs.reduce((n, one) => n + one, 0)),
        total + retried,
      )
      assert.ok(buckets.every(({ at }, index) => index === 0 || at > buckets[index - 1]!.at))
    }
    for (const key of ['odd', 'even', 'a', 'b'] as const) {
      const by = key.length > 1 ? 'name' : 'queue'
      const buckets = await t.storage.monitor.series({ by, key, step: 'hour', ...range })
      assert.equal(
        buckets.reduce((sum, bucket) => sum + bucket.ok, 0),
        ok[key],
        key,
      )
      assert.ok(buckets.every((bucket) => bucket.key === key))
    }
    const { items } = await t.storage.monitor.errors({ limit: 10 })
    assert.equal(items.length, 1)
    const [group] = items
    assert.equal(group?.fingerprint, 'Error:boom')
    assert.equal(group.preview, 'Error: boom')
    assert.equal(group.count, failed + retried)
    assert.ok(group.names.length > 0 && group.names.every((name) => name === 'odd' || name === 'even'))
    assert.ok(group.firstAt <= group.lastAt)
    assert.equal(
      group.trend.reduce((sum, n) => sum + n, 0),
      group.count,
    )
    assert.equal((await t.view(group.sample)).id, group.sample)
  },

  '112 sessions are listed with what they hold': async (t) => {
    await t.create(jobs(10))
    const before = await t.now()
    const busy = await t.worker({ server: 'busy' })
    const idle = await t.worker({ server: 'idle', ttl: 90_000 })
    const gone = await t.worker({ server: 'gone' })
    const claimed = await busy.claim(4)
    await busy.done(succeed(claimed[0]!))
    await gone.end()
    const list = await t.storage.monitor.sessions()
    const views = new Map(list.map((view) => [view.server, view]))
    assert.equal(views.get('busy')?.held, 3)
    assert.equal(views.get('busy')?.id, busy.session)
    assert.equal(views.get('idle')?.held, 0)
    assert.equal(views.get('idle')?.ttl, 90_000)
    assert.equal(views.get('idle')?.info, '{}')
    assert.equal(views.has('gone'), false)
    const { seenAt, openedAt } = views.get('busy')!
    assert.ok(openedAt >= before && seenAt >= openedAt && seenAt <= (await t.now()))
    await t.elapse(5)
    await idle.heartbeat()
    const later = (await t.storage.monitor.sessions()).find(({ id }) => id === idle.session)
    assert.ok(later!.seenAt > views.get('idle')!.seenAt)
    const held = await walk(t, { session: busy.session })
    assert.deepEqual(idsOf(held).toSorted(), idsOf(claimed.slice(1)).toSorted())
    assert.ok(held.every(({ server }) => server === 'busy'))
  },

  '132 the standing of a job names why it does not run': async (t) => {
    const now = await t.now()
    const worker = await t.worker({ queues: ['gated', 'old'] })
    const standing = async (id: JobId) => {
      const found = await t.storage.monitor.standing(id)
      assert.ok(found)
      return found
    }
    await t.create(jobs(4, () => ({ queue: 'behind' })))
    const behind = await t.created(job({ queue: 'behind' }))
    const ahead = (await standing(behind)).ahead
    assert.ok(ahead && (ahead.exact ? ahead.value === 4 : ahead.value > 0))

    const paused = await t.created(job({ queue: 'paused' }))
    await t.storage.queues.set('paused', { paused: { at: now, by: 'anna', reason: 'holiday', until: now + 60_000 } })
    const pausedQueue = (await standing(paused)).queue.paused
    assert.deepEqual({ ...pausedQueue }, { at: now, by: 'anna', reason: 'holiday', until: now + 60_000 })

    await t.storage.queues.set('rated', { rate: { max: 1, per: 60_000 }, maxActive: 7 })
    const rated = await standing(await t.created(job({ queue: 'rated' })))
    assert.deepEqual({ ...rated.queue.rate }, { max: 1, per: 60_000 })
    assert.equal(rated.queue.maxActive, 7)

    const gates = [{ key: 'printer', limit: 1 }]
    const [holder, gated] = await t.create(jobs(2, () => ({ queue: 'gated', gates })))
    await worker.claim(5)
    const { gates: [gate] } = await standing(gated!) // prettier-ignore
    assert.deepEqual([gate?.key, gate?.limit, gate?.used, gate?.holders], ['printer', 1, 1, [holder]])

    const slow = [{ key: 'api', rate: { max: 1, per: 60_000 } }]
    const [, limited] = await t.create(jobs(2, () => ({ queue: 'gated', gates: slow })))
    await worker.claim(5)
    const opensAt = (await standing(limited!)).gates[0]?.opensAt
    assert.ok(opensAt !== undefined && opensAt > now && opensAt <= (await t.now()) + 60_000)

    const awaiting = await t.created(child([holder!, behind]))
    const { phase, parents } = await standing(awaiting)
    assert.equal(phase, 'awaiting')
    assert.deepEqual(
      parents.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      [
        { id: behind, phase: 'ready' },
        { id: holder, phase: 'active' },
      ].toSorted((a, b) => (a.id! < b.id! ? -1 : 1)),
    )

    const scheduled = await standing(await t.created(job({ state: states.scheduled, at: now + 90_000 })))
    assert.deepEqual([scheduled.phase, scheduled.dueAt], ['scheduled', now + 90_000])

    const unknown = await t.created(job({ queue: 'old' }))
    const [claimed] = await worker.claim(1, { queues: [{ name: 'old' }] })
    await worker.done(park(claimed!, 'mail.send@9'))
    const parked = await standing(unknown)
    assert.deepEqual([parked.phase, parked.parkedFor], ['parked', 'mail.send@9'])

    const configured = await t.storage.monitor.queues()
    assert.deepEqual(
      configured.filter((queue) => queue.paused).map(({ name }) => name),
      ['paused'],
    )
  },
})

async function walk(t: CaseContext, query: JobQuery, request: PageRequest = { limit: 7 }): Promise<JobSummary[]> {
  const all: JobSummary[] = []
  let cursor: string | undefined
  do {
    const page = await t.storage.monitor.list(query, { ...request, cursor })
    all.push(...page.items)
    cursor = page.next
    assert.ok(all.length < 5_000, 'the walk comes to an end')
  } while (cursor !== undefined)
  return all
}

function tally(list: readonly Phase[]): Record<Phase, number> {
  const counts = { awaiting: 0, scheduled: 0, ready: 0, active: 0, parked: 0, succeeded: 0, failed: 0, deleted: 0 }
  for (const phase of list) counts[phase]++
  return counts
}
