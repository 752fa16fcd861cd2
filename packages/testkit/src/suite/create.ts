import assert from 'node:assert/strict'
import { payloadBytes } from '@q/core/storage'
import type { NewJob, Payload } from '@q/core/storage'
import type { Chapter } from './chapter.ts'
import { chapter } from './chapter.ts'
import { idsOf, job, jobs, mail, newId, park, states } from './records.ts'

/** Allowed characters that some storage may have a meaning of its own for. */
const hostile = `:{}*%_'"\\<>&|/?#[]@!$^=+~\`;, \t🙂é漢`
const longName = (start: string): string => [...(start + hostile.repeat(10))].join('').slice(0, 254).toWellFormed()

export const create: Chapter = chapter('Create', {
  '1 a created job is read back byte for byte': async (t) => {
    const made = job({
      name: 'invoice.print',
      version: 7,
      payload: '{"to":"ä🙂","n":1.50}',
      preview: 'to ä🙂',
      priority: 42,
      state: { name: 'enqueued', phase: 'ready', reason: 'asked for', data: new Uint8Array([0, 255, 10, 128]) },
      params: { traceparent: '00-ab', empty: '' },
      tags: ['red', 'a b'],
      recurring: { id: 'nightly', at: 1_700_000_000_000 },
      by: 'web-1',
    })
    const before = await t.now()
    await t.created(made)
    const after = await t.now()
    const view = await t.view(made.id)

    assert.equal(view.id, made.id)
    assert.equal(view.queue, mail)
    assert.equal(view.name, 'invoice.print')
    assert.equal(view.version, 7)
    assert.equal(view.payload, made.payload)
    assert.equal(view.preview, made.preview)
    assert.equal(view.priority, 42)
    assert.deepEqual(view.params, made.params)
    assert.deepEqual(view.tags, made.tags)
    assert.deepEqual(view.recurring, made.recurring)
    assert.equal(view.attempt, 0)
    assert.equal(view.crashes, 0)
    assert.ok(view.createdAt >= before && view.createdAt <= after, 'createdAt is an instant of the storage')
    assert.equal(view.state.name, 'enqueued')
    assert.equal(view.state.phase, 'ready')
    assert.equal(view.state.reason, 'asked for')
    assertPayload(view.state.data, made.state.data)
    assert.equal(view.state.n, 1)
    assert.equal(view.state.by, 'web-1')
    assert.equal(view.state.at, view.createdAt)
  },

  '2 results come in the order of the input': async (t) => {
    const there = await t.created(job())
    const first = job()
    const last = job()
    const outcomes = await t.storage.jobs.create([
      first,
      job({ id: there }),
      job({ priority: 99_999 }),
      job({ state: states.awaiting, after: [{ parent: newId(), on: ['succeeded'] }] }),
      last,
    ])
    assert.deepEqual(
      outcomes.map(({ ok }) => ok),
      ['created', 'exists', 'invalid', 'orphan', 'created'],
    )
  },

  '3 the same id again exists already and changes nothing': async (t) => {
    const made = job({ payload: 'first', priority: 5 })
    await t.created(made)
    const before = await t.view(made.id)
    const outcomes = await t.storage.jobs.create([{ ...made, payload: 'second', priority: 6, queue: 'other' }])
    assert.deepEqual(outcomes, [{ ok: 'exists' }])
    assert.deepEqual(await t.view(made.id), before)
    assert.equal((await t.history(made.id)).length, 1)

    const worker = await t.worker({ queues: [mail, 'other'] })
    const claimed = await worker.claim(10)
    assert.deepEqual(
      claimed.map(({ id }) => id),
      [made.id],
    )
    await worker.done({ id: made.id, token: claimed[0]!.token, to: states.succeeded })
    assert.deepEqual(await t.storage.jobs.create([made]), [{ ok: 'exists' }], 'a final job is still there')
    assert.equal(await t.phase(made.id), 'succeeded')
  },

  '4 of two equal ids in one call the first is created, the second exists': async (t) => {
    const made = job({ payload: 'first' })
    const outcomes = await t.storage.jobs.create([made, { ...made, payload: 'second' }])
    assert.deepEqual(
      outcomes.map(({ ok }) => ok),
      ['created', 'exists'],
    )
    assert.equal((await t.view(made.id)).payload, 'first')
    assert.equal((await (await t.worker()).claim(10)).length, 1)
  },

  '5 a bad item leaves its neighbours created': async (t) => {
    const bad: NewJob[] = [
      job({ id: 'not-an-id' }),
      job({ priority: -1 }),
      job({ priority: 65_536 }),
      job({ queue: '' }),
      job({ name: 'a\0b' }),
      job({ name: 'half \ud83d' }),
      job({ state: states.processing }),
      job({ state: states.scheduled }),
      job({ state: states.awaiting }),
      job({ delay: Number.NaN }),
      job({ gates: [{ key: 'printer' }] }),
      job({ preview: 'x'.repeat(257) }),
      job({ crashLimit: 0 }),
    ]
    const good = jobs(bad.length + 1)
    const mixed = good.flatMap((made, index) => (bad[index] ? [made, bad[index]] : [made]))
    const outcomes = await t.tryCreate(mixed)
    for (const [index, outcome] of outcomes.entries()) {
      assert.equal(outcome.ok, index % 2 === 0 ? 'created' : 'invalid', `item ${index}: ${JSON.stringify(outcome)}`)
      if (outcome.ok === 'invalid') assert.ok(outcome.reason.length > 5, 'the reason says what is wrong')
    }
    const claimed = await (await t.worker()).claimAll()
    assert.deepEqual(
      claimed.map(({ id }) => id),
      good.map(({ id }) => id),
    )
  },

  '6 ten thousand jobs in one go all arrive': async (t) => {
    const made = jobs(t.size(3_000, 10_000), (index) => ({ payload: String(index) }))
    await t.create(made)
    const views = await t.views(made.map(({ id }) => id))
    assert.deepEqual(
      views.map((view) => view?.payload),
      made.map(({ payload }) => payload),
    )
    const tooMany = jobs(t.storage.capabilities.maxBatch + 1)
    await assert.rejects(t.storage.jobs.create(tooMany), { code: 'Q_OPTION_INVALID' }, 'more than maxBatch is refused')
    assert.deepEqual(await t.phases(tooMany.slice(0, 3).map(({ id }) => id)), [null, null, null])
  },

  '7 the largest payload passes, one byte more is refused': async (t) => {
    const { maxPayload } = t.storage.capabilities
    assert.ok(Number.isSafeInteger(maxPayload), 'a storage says how much it takes')
    const large = job({ payload: 'x'.repeat(maxPayload) })
    const bytes = job({ payload: new Uint8Array(maxPayload).fill(7) })
    const wide = job({ payload: `${'ä'.repeat(maxPayload / 2 - 1)}abc` })
    const [first, second, third] = await t.storage.jobs.create([large, bytes, wide])
    assert.equal(first?.ok, 'created')
    assert.equal(second?.ok, 'created')
    assert.equal(third?.ok, 'invalid', 'bytes are counted, not characters')
    assert.equal((await t.view(large.id)).payload, large.payload)
    assertPayload((await t.view(bytes.id)).payload, bytes.payload)
    assert.equal(await t.phase(wide.id), null)

    const [more] = await t.storage.jobs.create([job({ payload: `${'x'.repeat(maxPayload)}y` })])
    assert.equal(more?.ok, 'invalid')
  },

  '8 binary, empty and multi-byte payloads survive, as the kind they were': async (t) => {
    const payloads: Payload[] = [
      '',
      'ü漢🙂\u0001\u2028"\\\r\n',
      'null',
      new Uint8Array(0),
      Uint8Array.from({ length: 512 }, (_, index) => index % 256),
      new Uint8Array([0xff, 0xfe, 0x00, 0xc3, 0x28]),
      new TextEncoder().encode('text as bytes'),
    ]
    const made = payloads.map((payload) => job({ payload }))
    await t.create(made)
    for (const [index, view] of (await t.views(made.map(({ id }) => id))).entries()) {
      assertPayload(view?.payload, payloads[index])
    }
    const worker = await t.worker()
    const claimed = await worker.claimAll()
    for (const [index, found] of claimed.entries()) assertPayload(found.payload, payloads[index])
    await worker.done(
      ...claimed.map(({ id, token, payload }) => ({ id, token, to: { ...states.succeeded, data: payload } })),
    )
    for (const [index, { id }] of claimed.entries()) {
      assertPayload((await t.view(id)).state.data, payloads[index])
      assertPayload((await t.history(id)).at(-1)?.data, payloads[index])
    }

    // Text that some databases cannot hold: kept or refused, never changed.
    const withNul = job({ payload: 'a\0b' })
    const [outcome] = await t.storage.jobs.create([withNul])
    if (outcome?.ok === 'created') assert.equal((await t.view(withNul.id)).payload, 'a\0b')
    else assert.equal(outcome?.ok, 'invalid')
  },

  '9 a delay of zero and an instant in the past are ready at once': async (t) => {
    const past = (await t.now()) - 60_000
    const made = [
      job({ state: states.scheduled, delay: 0 }),
      job({ state: states.scheduled, delay: -5_000 }),
      job({ state: states.scheduled, at: past }),
      job(),
    ]
    await t.create(made)
    assert.deepEqual(await t.phases(idsOf(made)), ['ready', 'ready', 'ready', 'ready'])
    const claimed = await (await t.worker()).claim(10)
    assert.deepEqual(idsOf(claimed), idsOf(made), 'at the places where they were created')
  },

  '10 the bounds of priority work': async (t) => {
    const [last, first, middle] = [job({ priority: 65_535 }), job({ priority: 0 }), job()]
    await t.create([last, first, middle])
    assert.equal((await t.view(last.id)).priority, 65_535)
    assert.equal((await t.view(first.id)).priority, 0)
    assert.equal((await t.view(middle.id)).priority, 100, 'the default')
    assert.deepEqual(idsOf(await (await t.worker()).claim(3)), [first.id, middle.id, last.id])
  },

  '11 long and hostile queue and job names are only names': async (t) => {
    const queue = longName('q')
    const name = longName('n')
    const neighbours = ['%', '_', '*', '>', 'Q', queue.toUpperCase(), `${queue}x`, '{mail}', 'mail:ready', '__proto__']
    const made = job({ queue, name, tags: [longName('t')] })
    await t.create([...neighbours.map((other) => job({ queue: other, name: other })), made])

    const view = await t.view(made.id)
    assert.equal(view.queue, queue)
    assert.equal(view.name, name)
    assert.deepEqual(view.tags, made.tags)

    const worker = await t.worker({ queues: [queue] })
    assert.deepEqual(idsOf(await worker.claim(100)), [made.id])
    for (const other of neighbours) {
      const [claimed, ...more] = await worker.claim(100, { queues: [{ name: other }] })
      assert.equal(claimed?.queue, other)
      assert.equal(claimed?.name, other)
      assert.deepEqual(more, [])
    }
  },

  '12 a scheduled job is not claimable before its time': async (t) => {
    const delay = 150
    const soon = job({ state: states.scheduled, delay })
    const later = job({ state: states.scheduled, delay: 3_600_000 })
    const at = job({ state: states.scheduled, at: (await t.now()) + 3_600_000 })
    await t.create([soon, later, at])
    assert.equal((await t.view(later.id)).state.phase, 'scheduled')
    const worker = await t.worker()
    const claimed = await t.until('the scheduled job is claimed', async () => {
      await t.settle()
      return (await worker.claim(10)).at(0)
    })
    assert.equal(claimed.id, soon.id)
    assert.ok(
      claimed.claimedAt - claimed.createdAt >= delay,
      `claimed ${claimed.claimedAt - claimed.createdAt} ms later`,
    )
    assert.deepEqual(await worker.claim(10), [])
    assert.deepEqual(await t.phases([later.id, at.id]), ['scheduled', 'scheduled'])
  },

  '13 a parked job is claimed only by a session that adopts its name and version': async (t) => {
    const made = await t.created(job({ name: 'mail.send', version: 2 }))
    const stranger = await t.worker({ server: 'old' })
    await stranger.done(park(await stranger.claimOne(), 'mail.send@2'))
    assert.equal(await t.phase(made), 'parked')

    assert.deepEqual(await stranger.claim(10), [])
    assert.deepEqual(await stranger.claim(10, { adopt: ['mail.send@1', 'mail.sen', 'mail.send@22'] }), [])
    assert.deepEqual(await stranger.claim(10, { adopt: ['mail.send@2'], queues: [{ name: 'elsewhere' }] }), [])
    assert.equal(await t.phase(made), 'parked')

    const adopter = await t.worker({ server: 'new' })
    const [adopted] = await adopter.claim(10, { adopt: ['other@1', 'mail.send@2'] })
    assert.equal(adopted?.id, made)
    assert.equal(adopted?.attempt, 1, 'parking did not count')
    assert.equal(await t.phase(made), 'active')
  },

  '14 parameters and tags come back with a claim and when read': async (t) => {
    const made = job({ params: { culture: 'de', a: 'ü"\\' }, tags: ['x', 'ä b', 'x:y'] })
    const plain = job()
    await t.create([made, plain])
    const worker = await t.worker()
    const [first, second] = await worker.claim(2)
    assert.deepEqual(first?.params, made.params)
    assert.deepEqual(first?.tags, made.tags)
    assert.deepEqual(second?.params, {})
    assert.deepEqual(second?.tags, [])
    await worker.done({
      id: made.id,
      token: first!.token,
      to: states.enqueued,
      params: { culture: null, a: 'new', b: 'added' },
    })
    assert.deepEqual((await t.view(made.id)).params, { a: 'new', b: 'added' })
    const again = (await worker.claim(2)).find(({ id }) => id === made.id)
    assert.deepEqual(again?.params, { a: 'new', b: 'added' })
    assert.deepEqual((await t.view(made.id)).tags, made.tags)
  },
})

/** Equal bytes or equal text, and the same kind of the two. */
function assertPayload(found: Payload | undefined, expected: Payload | undefined): void {
  if (typeof expected === 'string' || expected === undefined) {
    assert.equal(found, expected)
    return
  }
  assert.ok(found instanceof Uint8Array, `bytes were given, ${typeof found} came back`)
  assert.equal(payloadBytes(found), payloadBytes(expected))
  assert.ok(Buffer.from(found).equals(expected), 'the bytes are the same')
}
