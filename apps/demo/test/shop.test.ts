import { setTimeout as sleep } from 'node:timers/promises'
import { createClient, openStorage } from '@q/core'
import { expect, test, vi } from 'vitest'
import { Demo } from './run-demo.ts'
import { scratchFile } from './scratch-file.ts'

// Orders take their time, and machines that run many tests at once take more.
vi.setConfig({ testTimeout: 120_000 })

test('a shop that is closed in the middle of its work goes on where it stood, and loses no job', async () => {
  using file = scratchFile()
  const order = await (async () => {
    await using demo = new Demo(file.url)
    const address = await demo.address()
    const placed = await placeOrder(address)
    await demo.says(/The dashboard/)
    demo.interrupt()
    expect(await demo.exited).toBe(0)
    expect(demo.output).toContain('Closed.')
    return placed
  })()
  const before = await jobIds(file.url)
  expect(before.length).toBeGreaterThan(15)

  await using demo = new Demo(file.url)
  const address = await demo.address()
  await until(async () => /come to its end|Done\. Enjoy it/.test(await page(`${address}${order}`)))
  demo.interrupt()
  expect(await demo.exited).toBe(0)
  const after = new Set(await jobIds(file.url))
  expect(before.filter((id) => !after.has(id))).toEqual([])
})

test('two shops on one storage share the work', async () => {
  using file = scratchFile()
  await using first = new Demo(file.url)
  await using second = new Demo(file.url)
  const addresses = [await first.address(), await second.address()]
  expect(addresses[0]).not.toBe(addresses[1])
  await Promise.all(addresses.map((address) => placeOrder(address)))

  await using storage = await openStorage(file.url)
  const client = createClient({ storage })
  await until(async () => {
    const { items } = await client.monitor.jobs({ phase: ['succeeded'] }, { limit: 40 })
    const jobs = await Promise.all(items.map(({ id }) => client.get(id)))
    return new Set(jobs.flatMap((job) => job?.attempts.map(({ server }) => server) ?? [])).size === 2
  })
  first.interrupt()
  second.interrupt()
  expect(await Promise.all([first.exited, second.exited])).toEqual([0, 0])
})

test('a visitor places an order, watches it live, and cancels it', async () => {
  await using demo = new Demo('memory:')
  const address = await demo.address()
  const order = await placeOrder(address)
  expect(await page(`${address}/`)).toContain('Prints of quiet places')
  const watching = fetch(`${address}${order}/events`).then((response) => response.text())
  await fetch(`${address}${order}/cancel`, { method: 'POST', redirect: 'manual' })
  await until(async () => (await page(`${address}${order}`)).includes('has come to its end'))
  const events = await watching
  expect(events).toContain('the customer cancelled the order')
  expect(events).toContain('event: end')
})

test('an order that makes no sense is refused with a sentence', async () => {
  await using demo = new Demo('memory:')
  const address = await demo.address()
  const response = await sendOrder(address, { copies: '12' })
  expect(response.status).toBe(422)
  expect(await response.text()).toContain('We print one to nine copies.')
})

function sendOrder(address: string, changes: Readonly<Record<string, string>> = {}): Promise<Response> {
  const form = { print: 'blue-hour', size: 'A2', copies: '1', name: 'Ada', email: 'ada@example.com', ...changes }
  return fetch(`${address}/orders`, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
}

/** The path of the new order's page. */
async function placeOrder(address: string): Promise<string> {
  const response = await sendOrder(address)
  expect(response.status).toBe(303)
  return response.headers.get('location')!
}

async function page(url: string): Promise<string> {
  const response = await fetch(url)
  return response.text()
}

/** What was there before the shop closed; the visitors' own jobs are kept for minutes only and come and go. */
async function jobIds(url: string): Promise<string[]> {
  await using storage = await openStorage(url)
  const { items } = await createClient({ storage }).monitor.jobs({}, { limit: 1000 })
  return items.filter(({ name }) => name !== 'shop.visitors').map(({ id }) => id)
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const endsAt = Date.now() + 60_000
  while (!(await condition())) {
    if (Date.now() > endsAt) throw new Error('That did not happen within a minute.')
    await sleep(200)
  }
}
