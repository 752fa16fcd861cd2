import {
  type BaseClient,
  createClient,
  createServer,
  defineJob,
  exponential,
  type JobStorage,
  memoryStorage,
  type MemoryStorage,
  type Server,
} from '@q/core'
import { type Clock, systemClock } from '@q/core/storage'

// A shop at work: mails, reports, pictures, and the things that go wrong with them.

class SmtpError extends Error {
  override readonly name = 'SmtpError'
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

interface Mail {
  readonly to: string
  readonly template: string
  readonly plan?: string
  readonly apiToken?: string
}

/** Holds a handler until the fixture lets it go. */
const gate = { open: Promise.withResolvers<void>() }

const sendMail = defineJob({
  name: 'mail.send',
  queue: 'mail',
  priority: 'high',
  retry: { attempts: 3, backoff: exponential({ base: '8m', max: '30m', jitter: 'none' }) },
  run(mail: Mail, ctx) {
    ctx.log.info('connected to smtp.example.com', { tls: true })
    if (mail.to.includes('bounce')) {
      const cause = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
      throw new SmtpError('451', `451 4.7.1 ${mail.to} temporarily unavailable, try again in ${mail.to.length * 7} s`, {
        cause,
      })
    }
    ctx.log.debug('accepted by the relay')
    return { messageId: `<${ctx.id.toLowerCase()}@example.com>` }
  },
})

const charge = defineJob({
  name: 'order.charge',
  queue: 'payments',
  priority: 'high',
  retry: false,
  run(order: { readonly orderId: number; readonly cents: number; readonly cardToken: string }, ctx) {
    ctx.progress(0.5, 'asking the bank')
    if (order.orderId % 17 === 3)
      throw new Error(`The card of order ${order.orderId} was declined by issuer "bank-${order.orderId % 7}"`)
    ctx.log.info('charged', { cents: order.cents })
    return { receipt: `R-${order.orderId}` }
  },
})

const resize = defineJob({
  name: 'image.resize',
  queue: 'bulk',
  retry: { attempts: 2 },
  concurrency: { key: (image: { readonly owner: string; readonly path: string }) => image.owner, limit: 2 },
  run(image) {
    if (image.path.endsWith('.tiff')) throw new TypeError(`Unsupported image format in ${image.path}`)
    return { bytes: image.path.length * 1021 }
  },
})

const report = defineJob({
  name: 'report.build',
  queue: 'default',
  run: (input: { readonly month: string }) => ({ pages: input.month.length * 3 }),
})

const cleanup = defineJob({ name: 'sessions.cleanup', queue: 'default', run: () => ({ removed: 412 }) })

/** Runs until it is let go: something to see under "processing". */
const encode = defineJob({
  name: 'video.encode',
  queue: 'video',
  async run(video: { readonly title: string }, ctx) {
    ctx.log.info('probing the source', { codec: 'h264', fps: 25 })
    ctx.progress(0.42, 'second pass')
    ctx.log.warn('variable frame rate, falling back to 25 fps')
    ctx.log.info(`encoding "${video.title}"`)
    await Promise.race([gate.open.promise, new Promise((resolve) => ctx.signal.addEventListener('abort', resolve))])
    return { seconds: 95 }
  },
})

const unknown = defineJob<{ readonly legacy: boolean }>()({ name: 'legacy.import', queue: 'default' })

/** Nothing of this may ever be markup, a formula or a path. */
export const hostileTexts: readonly string[] = [
  '<script>globalThis.pwned = 1</script>',
  '"><img src=x onerror="globalThis.pwned=1">',
  "'; DROP TABLE jobs; --",
  '=HYPERLINK("https://evil.example","x")',
  '../../etc/passwd',
  '%2F..%2f%00',
  '\u202Etxt.exe',
  '__proto__',
  '</textarea><svg onload=globalThis.pwned=1>',
  '{{constructor.constructor("globalThis.pwned=1")()}}',
  'javascript:globalThis.pwned=1',
]

/** Stands behind secret keys only; seen anywhere, it has leaked. */
export const canary = 'canary-5f1d7c'

const jobs = [sendMail, charge, resize, report, cleanup, encode]

export interface Shop {
  readonly storage: JobStorage
  readonly client: BaseClient
  readonly server: Server
  /** Jobs worth a page of their own. */
  readonly ids: {
    readonly retrying: string
    readonly failed: string
    readonly succeeded: string
    readonly running: string
    readonly scheduled: string
    readonly paused: string
    readonly limited: string
    readonly awaiting: string
    readonly unserved: string
    readonly secret: string
  }
  [Symbol.asyncDispose](): Promise<void>
}

/** Every state, every page: what the tests and the pictures look at. The storage stays open. */
export async function fillShop(storage: JobStorage): Promise<Shop> {
  gate.open = Promise.withResolvers()
  const client = createClient({ storage, name: 'shop' })
  const server = createServer({
    storage,
    jobs,
    concurrency: 12,
    queues: ['payments', 'mail', 'default', 'bulk', 'video'],
    name: 'web-1',
  })
  await server.start()
  const mails = await client.enqueueMany(
    sendMail,
    Array.from({ length: 24 }, (_, n) => ({
      to: `user-${n}@example.com`,
      template: 'welcome',
      plan: n % 3 === 0 ? 'pro' : 'free',
    })),
    { tags: ['campaign-7'] },
  )
  const bounced = await client.enqueueMany(
    sendMail,
    Array.from({ length: 3 }, (_, n) => ({ to: `bounce-${n * 37}@example.com`, template: 'invoice' })),
    { tags: ['tenant-42'] },
  )
  const charges = await client.enqueueMany(
    charge,
    Array.from({ length: 40 }, (_, n) => ({ orderId: 880 + n, cents: 1990, cardToken: canary })),
  )
  await client.enqueueMany(
    resize,
    Array.from({ length: 8 }, (_, n) => ({ owner: `tenant-${n % 2}`, path: `uploads/${n}.png` })),
  )
  const ended = await Promise.all(
    [...mails, ...charges].map((handle) =>
      handle.result({ timeout: '20s' }).then(
        () => null,
        () => handle.id,
      ),
    ),
  )
  const failed = ended.find((id) => id !== null)!
  await Promise.all(bounced.map((handle) => waitFor(async () => (await handle.state())?.name === 'scheduled')))
  const videos = await client.enqueueMany(
    encode,
    ['Launch film', 'Product tour', 'Interview'].map((title) => ({ title })),
    { tags: ['studio'] },
  )
  await Promise.all(videos.map((handle) => waitFor(async () => (await client.get(handle.id))?.progress !== undefined)))

  await client.queues.set('mail', { maxActive: 10 })
  await client.queues.set('imports', { rate: { limit: 100, per: '1m' } })
  await client.queues.pause('imports', { by: 'anna', reason: 'supplier is down' })
  const scheduled = await client.schedule(report, { month: '2026-12' }, { in: '2h' })
  await client.schedule(report, { month: '2027-01' }, { in: '9d' })
  const paused = await client.enqueue(report, { month: '2026-10' }, { queue: 'imports' })
  await client.enqueue(report, { month: '2026-09' }, { queue: 'imports' })
  const unserved = await client.enqueue(report, { month: '2026-08' }, { queue: 'archive' })
  await client.enqueue(unknown, { legacy: true })
  const parent = videos[0]!
  const awaiting = await client.continueWith(parent, report, { month: 'after the film' })
  await client.continueWith(charges[0]!, sendMail, { to: 'receipt@example.com', template: 'receipt' })
  const secret = await client.enqueue(
    charge,
    { orderId: 4242, cents: 100, cardToken: canary },
    { queue: 'archive', meta: { authorization: `Bearer ${canary}`, source: 'api', nested: [{ 'api-key': canary }] } },
  )
  const cancelled = await client.schedule(report, { month: '2026-07' }, { in: '1h' })
  await client.cancel(cancelled.id, { reason: 'ordered twice', by: 'ben' })
  const limited = await holdLimit(client)

  await client.recurring.put('nightly-report', {
    job: report,
    input: { month: 'all' },
    cron: '0 2 * * *',
    timeZone: 'Europe/Berlin',
  })
  await client.recurring.put('clean-sessions', { job: cleanup, every: '15m' })
  await client.recurring.put('weekly-digest', {
    job: report,
    input: { month: 'week' },
    cron: '30 8 * * 1',
    timeZone: 'America/New_York',
    overlap: 'skip',
  })
  await client.recurring.pause('weekly-digest', { by: 'anna', reason: 'holidays' })
  for (let n = 0; n < 4; n++) {
    const id = await client.recurring.trigger('clean-sessions')
    await client.handle(id!).result({ timeout: '20s' })
  }
  return {
    storage,
    client,
    server,
    ids: {
      retrying: bounced[0]!.id,
      failed,
      succeeded: mails[0]!.id,
      running: videos[0]!.id,
      scheduled: scheduled.id,
      paused: paused.id,
      limited,
      awaiting: awaiting.id,
      unserved: unserved.id,
      secret: secret.id,
    },
    async [Symbol.asyncDispose]() {
      gate.open.resolve()
      await server.stop({ grace: 0 })
      await client.close()
    },
  }
}

/** Two of an owner run, so the third waits for its limit. */
async function holdLimit(client: BaseClient): Promise<string> {
  const held = defineJob({
    name: 'video.caption',
    queue: 'archive',
    concurrency: { key: (input: { readonly owner: string }) => input.owner, limit: 1 },
    run: () => null,
  })
  const handle = await client.enqueue(held, { owner: 'tenant-9' })
  return handle.id
}

/** One job for each hostile text, in every field that takes one. */
export async function addHostile(client: BaseClient): Promise<readonly string[]> {
  const ids: string[] = []
  for (const text of hostileTexts) {
    // Queues may not hold wildcards; everything else may be anything.
    const queue = text.replaceAll(/[*>]/g, '›')
    const job = defineJob<Record<string, unknown>>()({ name: text, queue })
    const handle = await client.enqueue(
      job,
      { [text]: text, nested: { deep: [text] } },
      { tags: [text], meta: { [`m ${text}`]: text } },
    )
    await client.queues.pause(queue, { by: text, reason: text })
    await client.cancel(handle.id, { reason: text, by: text })
    await client.recurring.put(text, { job, input: { text }, cron: '0 0 1 1 *' })
    ids.push(handle.id)
  }
  return ids
}

/** Storage on a clock that starts in the past: a day of history in a second. */
export async function openMemoryShop(hours: number = 26): Promise<Shop> {
  const clock = new TravellingClock(hours * 3_600_000)
  const storage: MemoryStorage = memoryStorage({ clock })
  const client = createClient({ storage, name: 'shop', clock })
  for (let at = hours * 60; at > 0; at -= 15) {
    clock.goTo(at * 60_000)
    await runQuarter(storage, client, clock, Math.round(at / 15))
  }
  clock.goTo(0)
  await client.close()
  return fillShop(storage)
}

async function runQuarter(storage: JobStorage, client: BaseClient, clock: Clock, n: number): Promise<void> {
  const server = createServer({ storage, jobs, concurrency: 20, clock, name: 'web-1' })
  const wave = Math.round(6 + 5 * Math.sin(n / 9))
  const handles = [
    ...(await client.enqueueMany(
      sendMail,
      Array.from({ length: wave * 2 }, (_, i) => ({ to: `user-${n}-${i}@example.com`, template: 'digest' })),
    )),
    ...(await client.enqueueMany(
      charge,
      Array.from({ length: wave }, (_, i) => ({ orderId: n * 31 + i, cents: 990, cardToken: canary })),
    )),
    ...(await client.enqueueMany(
      resize,
      Array.from({ length: wave }, (_, i) => ({
        owner: `tenant-${i % 5}`,
        path: `uploads/${n}-${i}.${n % 11 === 0 && i === 0 ? 'tiff' : 'png'}`,
      })),
    )),
  ]
  await server.start()
  await Promise.all(
    handles.map((handle) =>
      waitFor(async () => ['succeeded', 'failed', 'scheduled'].includes((await handle.state())?.name ?? '')),
    ),
  )
  await server.stop({ grace: 0 })
}

class TravellingClock implements Clock {
  #behindMs: number
  constructor(behindMs: number) {
    this.#behindMs = behindMs
  }
  goTo(behindMs: number): void {
    this.#behindMs = behindMs
  }
  now(): number {
    return systemClock.now() - this.#behindMs
  }
  monotonic(): number {
    return systemClock.monotonic()
  }
  timer(...args: Parameters<Clock['timer']>): ReturnType<Clock['timer']> {
    return systemClock.timer(...args)
  }
  soon(fire: () => void): void {
    systemClock.soon(fire)
  }
  random(): number {
    return systemClock.random()
  }
  fill(bytes: Uint8Array): void {
    systemClock.fill(bytes)
  }
}

/** Asks until it is so. */
export async function waitFor(isSo: () => boolean | Promise<boolean>, deadlineMs: number = 15_000): Promise<void> {
  const endsAt = performance.now() + deadlineMs
  while (!(await isSo())) {
    if (performance.now() > endsAt) throw new Error('It did not become so in time.')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
