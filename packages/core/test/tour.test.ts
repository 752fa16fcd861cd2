import { expect, test } from 'vitest'
import { createClient, createServer, defineJob, exponential, memoryStorage, snooze } from '../src/index.ts'

// One program, from the definition of a job to the end of everything it set off. Read it from the top.

test('a job goes from its definition to its result, and the road can be read in its history', async () => {
  const charge = defineJob({
    name: 'order.charge',
    retry: { attempts: 3, backoff: exponential({ base: 1, max: 5, jitter: 'none' }) },
    async run(order: { id: string; cents: number }, ctx) {
      ctx.progress(0.5, 'asking the bank')
      if (ctx.attempt === 1) throw new Error('the bank did not answer')
      ctx.log.info('charged', { cents: order.cents })
      return { receipt: `R-${order.id}` }
    },
  })
  const invoice = defineJob({
    name: 'order.invoice',
    run: (order: { id: string }) => `invoice of ${order.id}`,
  })

  // A client creates jobs, a server runs them; between them stands a storage, and nothing else.
  await using storage = memoryStorage()
  await using client = createClient({ storage, name: 'shop' })
  await using server = createServer({ storage, jobs: [charge, invoice], name: 'worker-1' })
  await server.start()

  const charged = await client.enqueue(charge, { id: '7', cents: 1990 })
  const invoiced = await client.continueWith(charged, invoice, { id: '7' })

  expect(await charged.result({ timeout: '5s' })).toEqual({ receipt: 'R-7' })
  expect(await invoiced.result({ timeout: '5s' })).toBe('invoice of 7')

  const job = (await client.get(charged.id))!
  expect(job.history.map(({ state, reason }) => (reason === undefined ? state : `${state}: ${reason}`))).toEqual([
    'enqueued',
    'processing',
    'failed: the bank did not answer',
    'scheduled: attempt 2 of 3',
    'enqueued: due',
    'processing',
    'succeeded',
  ])
  expect(job.attempts.map(({ n, outcome, server: by }) => [n, outcome, by])).toEqual([
    [1, 'failed', 'worker-1'],
    [2, 'succeeded', 'worker-1'],
  ])
  expect(job).toMatchObject({ status: 'succeeded', attempt: 2, progress: { value: 0.5, message: 'asking the bank' } })
})

test('a program schedules, repeats, cancels and limits', async () => {
  let running = 0
  let most = 0
  const resize = defineJob({
    name: 'image.resize',
    concurrency: { key: (image: { owner: string }) => image.owner, limit: 1 },
    async run() {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setImmediate(resolve))
      running--
    },
  })
  const patient = defineJob({
    name: 'patient',
    run: (_input: void, ctx) => (ctx.createdAt ? snooze('1h', 'later') : undefined),
  })

  await using storage = memoryStorage()
  await using client = createClient({ storage })
  await using server = createServer({ storage, jobs: [resize, patient] })
  await server.start()

  const images = await client.enqueueMany(
    resize,
    Array.from({ length: 20 }, () => ({ owner: 'ada' })),
  )
  await Promise.all(images.map((image) => image.result({ timeout: '5s' })))
  expect(most).toBe(1)

  const later = await client.schedule(resize, { owner: 'bob' }, { in: '1h' })
  expect((await client.explain(later.id))!.blockers[0]!.code).toBe('scheduled')
  expect(await client.cancel(later.id, { reason: 'not needed' })).toEqual({ stopped: true, how: 'before start' })
  await expect(later.result()).rejects.toThrow('was deleted: not needed')

  const nightly = await client.recurring.put('nightly', { job: patient, cron: '0 3 * * *', timeZone: 'Europe/Berlin' })
  expect(nightly.words).toMatch(/03:00/)
  const run = await client.recurring.trigger('nightly')
  const events: string[] = []
  for await (const event of client.handle(run!).subscribe()) {
    events.push(event.type === 'state' ? event.state : event.type)
    if (events.at(-1) === 'scheduled') break
  }
  expect(events.at(-1)).toBe('scheduled')
})
