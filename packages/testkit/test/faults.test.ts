import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { TcpProxy, openChild } from '../src/index.ts'

const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of opened.splice(0).toReversed()) await one[Symbol.asyncDispose]()
})

describe('the TCP proxy', () => {
  test('passes on what it was not asked to change', async () => {
    const { ask, heard } = await line()
    expect(await ask('one')).toBe('ONE')
    expect(await ask('two')).toBe('TWO')
    expect(heard).toEqual(['one', 'two'])
  })

  test('swallows exactly one reply, which the server has given', async () => {
    const { proxy, ask, heard } = await line()
    await ask('one')
    proxy.loseReply()
    expect(await ask('two')).toBe('broken')
    expect(await ask('three')).toBe('THREE')
    expect(heard).toEqual(['one', 'two', 'three'])
    expect(proxy.struck).toBe(1)
  })

  test('loses exactly one request, after as many others as it was told', async () => {
    const { proxy, ask, heard } = await line()
    proxy.loseRequest(1)
    expect(await ask('one')).toBe('ONE')
    expect(await ask('two')).toBe('broken')
    expect(await ask('three')).toBe('THREE')
    expect(heard).toEqual(['one', 'three'])
  })

  test('cuts a message in the middle', async () => {
    const { proxy, ask, heard } = await line()
    proxy.cutAfter(2, 'requests')
    expect(await ask('hello')).toBe('broken')
    await expect.poll(() => heard).toEqual(['he'])
    expect(await ask('again')).toBe('AGAIN')
  })

  test('holds a request until its sender has given up, and delivers it later', async () => {
    const { proxy, ask, heard } = await line()
    await ask('one')
    proxy.hold()
    const late = ask('late')
    await expect.poll(() => proxy.holding).toBe(true)
    proxy.abandon()
    expect(await late).toBe('broken')
    expect(await ask('next')).toBe('NEXT')
    expect(heard).toEqual(['one', 'next'])
    await proxy.release()
    expect(heard).toEqual(['one', 'next', 'late'])
  })

  test('answers nobody as a black hole, and everybody once it is healed', async () => {
    const { proxy, ask, heard } = await line()
    await ask('one')
    proxy.blackHole()
    const swallowed = ask('two')
    const first = await Promise.race([swallowed, new Promise((resolve) => setTimeout(resolve, 30, 'silence'))])
    expect(first).toBe('silence')
    proxy.heal()
    expect(await swallowed).toBe('broken')
    expect(await ask('three')).toBe('THREE')
    expect(heard).toEqual(['one', 'three'])
  })

  test('delays every message in both directions', async () => {
    const { proxy, ask } = await line()
    await ask('one')
    proxy.delay(20)
    const from = performance.now()
    expect(await ask('two')).toBe('TWO')
    expect(performance.now() - from).toBeGreaterThanOrEqual(38)
  })

  test('lets nothing overtake what is still on its way when it is healed', async () => {
    const { proxy, ask, heard } = await line()
    await ask('one')
    proxy.slow(1_000_000)
    const long = 'x'.repeat(400_000)
    const answered = ask(long)
    await expect.poll(() => heard.length, { interval: 1 }).toBeGreaterThan(1)
    proxy.heal()
    await Promise.all([answered, ask('last')])
    await expect.poll(() => heard.join('').length).toBe(`one${long}last`.length)
    expect(heard.join('').endsWith('xlast')).toBe(true)
  })
})

describe('a child process', () => {
  const origin = { module: new URL('./open-memory.ts', import.meta.url), argument: 'a child' }

  test('holds a storage of its own, whose calls, bytes and errors come through', async () => {
    const child = await openChild(origin)
    opened.push(child)
    expect(child.storage.label).toBe('memory of a child')
    expect(child.storage.capabilities.durability).toBe('none')
    const id = '0'.repeat(26)
    const made = { id, queue: 'q', name: 'n', version: 1, state: { name: 'enqueued', phase: 'ready' } } as const
    expect(await child.storage.jobs.create([{ ...made, payload: new Uint8Array([0, 255]) }])).toEqual([
      { ok: 'created' },
    ])
    const [view] = await child.storage.monitor.get([id])
    expect([...(view!.payload as Uint8Array)]).toEqual([0, 255])
    await expect(child.storage.work.end('nobody')).resolves.toBeUndefined()
    await expect(child.storage.work.exchange({ session: 'nobody', call: 1, apply: [] })).rejects.toMatchObject({
      code: 'Q_SESSION_LOST',
    })
  })

  test('leaves calls ambiguous when it is killed', async () => {
    const child = await openChild(origin)
    opened.push(child)
    child.freeze()
    const call = child.storage.monitor.counts()
    await Promise.all([expect(call).rejects.toMatchObject({ code: 'Q_AMBIGUOUS' }), child.kill()])
    await expect(child.storage.monitor.counts()).rejects.toMatchObject({ code: 'Q_AMBIGUOUS' })
  })

  test('may live at another time', async () => {
    const child = await openChild(origin, { clockShiftMs: 3_600_000 })
    opened.push(child)
    const { now } = await child.storage.recurring.due(1)
    expect(Math.abs(now - Date.now() - 3_600_000)).toBeLessThan(30_000)
  })
})

/** A server that answers in capitals, a proxy before it, and a client that connects again when its line has broken. */
async function line(): Promise<{ proxy: TcpProxy; heard: string[]; ask(text: string): Promise<string> }> {
  const heard: string[] = []
  const clients = new Set<Socket>()
  const server = createServer((socket) => {
    clients.add(socket)
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      heard.push(bytes.toString())
      socket.write(bytes.toString().toUpperCase())
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await TcpProxy.open({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  let client: Socket | undefined
  const ask = async (text: string): Promise<string> => {
    if (client === undefined || client.destroyed) client = connect({ host: proxy.host, port: proxy.port })
    const socket = client
    return new Promise((resolve) => {
      socket.once('data', (bytes) => resolve(bytes.toString()))
      socket.once('error', () => resolve('broken'))
      socket.once('close', () => resolve('broken'))
      socket.write(text)
    })
  }
  opened.push({
    async [Symbol.asyncDispose]() {
      client?.destroy()
      await proxy[Symbol.asyncDispose]()
      for (const socket of clients) socket.destroy()
      server.close()
    },
  })
  return { proxy, heard, ask }
}
