import { type BaseClient, createClient, defineJob, memoryStorage, QError } from '@q/core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Asker, ask } from './ask.ts'
import { waitFor } from './fixture.ts'

const job = defineJob<{ readonly n: number }>()({ name: 'live.job', queue: 'live' })

let client: BaseClient
let calls: Map<string, number>
let isAway = false
const opened: Asker[] = []

/** A client whose reads are counted, and whose storage can be taken away. */
function watched(): BaseClient {
  const real = createClient({ storage: memoryStorage() })
  const monitor = Object.fromEntries(
    Object.entries(real.monitor).map(([name, read]) => [
      name,
      async (...args: unknown[]) => {
        calls.set(name, (calls.get(name) ?? 0) + 1)
        if (isAway) throw new QError('Q_STORAGE_UNAVAILABLE', 'the storage is away')
        return (read as (...all: unknown[]) => unknown)(...args)
      },
    ]),
  )
  return { ...real, monitor: monitor as unknown as BaseClient['monitor'] }
}

beforeEach(() => {
  calls = new Map()
  isAway = false
  client = watched()
})
afterEach(() => {
  for (const { dashboard } of opened.splice(0)) dashboard.close()
})

function open(tickMs: number): Asker {
  const asker = ask({ client, tickMs })
  opened.push(asker)
  return asker
}

/** Follows a page and reads what comes. */
async function follow(
  asker: Asker,
  path: string,
): Promise<{ text(): string; reader: ReadableStreamDefaultReader<string> }> {
  const response = await asker.get(`/events?at=${encodeURIComponent(path)}`)
  expect(response.status).toBe(200)
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let all = ''
  void (async () => {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      all += value
    }
  })().catch(() => undefined)
  return { text: () => all, reader }
}

const patches = (text: string): { id: string; html: string }[] =>
  [...text.matchAll(/event: patch\ndata: (.*)\n\n/g)].map(
    ([, data]) => JSON.parse(data!) as { id: string; html: string },
  )

test('nothing is asked while nobody looks', async () => {
  const asker = open(10)
  const { reader, text } = await follow(asker, '/queues')
  await waitFor(() => patches(text()).length > 0)
  await reader.cancel()
  await waitFor(async () => {
    const before = calls.get('changes')
    await new Promise((resolve) => setTimeout(resolve, 60))
    return calls.get('changes') === before
  })
})

test('fifty viewers cost the storage what one costs', async () => {
  const cost = async (viewers: number): Promise<number> => {
    client = watched()
    const asker = open(20)
    const all = await Promise.all(Array.from({ length: viewers }, () => follow(asker, '/queues')))
    await waitFor(() => all.every(({ text }) => patches(text()).length > 0))
    calls.clear()
    for (let n = 0; n < 5; n++) {
      await client.enqueue(job, { n })
      await waitFor(() =>
        all.every(
          ({ text }) =>
            patches(text())
              .at(-1)!
              .html.includes(`>${n + 1}</span>`) ||
            patches(text()).some(({ html }) => html.includes(`class="n">${n + 1}</span>`)),
        ),
      )
    }
    asker.dashboard.close()
    return calls.get('counts')!
  }
  const one = await cost(1)
  expect(await cost(50)).toBeLessThanOrEqual(one + 5)
})

test('five hundred viewers hear of a change almost at once', async () => {
  const asker = open(20)
  const all = await Promise.all(Array.from({ length: 500 }, () => follow(asker, '/queues')))
  await waitFor(() => all.every(({ text }) => patches(text()).length > 0))
  const before = all.map(({ text }) => patches(text()).length)
  const startedAt = performance.now()
  await client.enqueue(job, { n: 1 })
  await waitFor(() => all.every(({ text }, index) => patches(text()).length > before[index]!))
  expect(performance.now() - startedAt).toBeLessThan(process.env['CI'] === undefined ? 250 : 1000)
})

test('only what has changed is sent', async () => {
  const asker = open(10)
  await client.enqueue(job, { n: 0 })
  const { text } = await follow(asker, '/queues')
  await waitFor(() => patches(text()).some(({ id }) => id === 'r-queues-list'))
  const before = patches(text()).length
  await client.enqueue(job, { n: 1 })
  await waitFor(() => patches(text()).length > before)
  const news = patches(text())
    .slice(before)
    .map(({ id }) => id)
  expect(news).toContain('r-queues-list')
  expect(news).not.toContain('r-queues-head')
})

test('a thousand viewers who leave are forgotten', async () => {
  const asker = open(10)
  for (let round = 0; round < 10; round++) {
    const readers = await Promise.all(
      Array.from({ length: 100 }, async () => (await asker.get('/events?at=%2Fqueues')).body!.getReader()),
    )
    await Promise.all(readers.map((reader) => reader.cancel()))
  }
  await waitFor(async () => {
    const before = calls.get('changes')
    await new Promise((resolve) => setTimeout(resolve, 60))
    return calls.get('changes') === before
  })
})

test('while the storage is away the page keeps its last figures, says how old they are, and comes back by itself', async () => {
  const asker = open(10)
  await client.enqueue(job, { n: 0 })
  expect(await (await asker.get('/queues')).text()).toContain('>live<')
  const { text } = await follow(asker, '/queues')
  await waitFor(() => patches(text()).length > 0)
  isAway = true
  await waitFor(() =>
    patches(text()).some(({ id, html }) => id === 'r-outage' && html.includes('The storage does not answer')),
  )
  await new Promise((resolve) => setTimeout(resolve, 1100))
  const during = await asker.get('/queues')
  expect(during.status).toBe(503)
  const page = await during.text()
  expect(page).toContain('What you see is from')
  expect(page).toContain('>live<')
  expect((await asker.get('/healthz')).status).toBe(503)
  expect(await (await asker.get('/api/v1/stats')).json()).toMatchObject({ status: 503, code: 'Q_STORAGE_UNAVAILABLE' })
  isAway = false
  await waitFor(
    () =>
      patches(text()).at(-1)?.html.includes('The storage does not answer') === false &&
      patches(text())
        .findLast(({ id }) => id === 'r-outage')!
        .html.includes('alert') === false,
  )
  expect((await asker.get('/queues')).status).toBe(200)
})

test('a page that was never seen still has its frame while the storage is away', async () => {
  const asker = open(1000)
  isAway = true
  const response = await asker.get('/metrics')
  expect(response.status).toBe(503)
  const text = await response.text()
  expect(text).toContain('<nav aria-label="Pages">')
  expect(text).toContain('The storage does not answer')
})
