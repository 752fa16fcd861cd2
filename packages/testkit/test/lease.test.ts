import { expect, test } from 'vitest'
import { createClient, createServer, defineJob, memoryStorage } from '@q/core'
import type { Fate } from '../src/index.ts'
import { ManualClock, unreliable } from '../src/index.ts'

test('an outage that ends before the lease does costs no server its lease, whenever it begins', async () => {
  for (let startsMs = 0; startsMs < 10_000; startsMs += 500) {
    const clock = new ManualClock()
    const inner = memoryStorage({ clock })
    let fate: Fate = 'pass'
    const held = defineJob({ name: 'held', run: () => new Promise<void>(() => {}) })
    const server = createServer({
      storage: unreliable(inner, () => fate),
      jobs: [held],
      // Its only slot is taken: nothing but heartbeats renews the lease.
      concurrency: 1,
      clock,
      lease: '30s',
      heartbeat: '10s',
    })
    await server.start()
    const client = createClient({ storage: inner, clock })
    await client.enqueue(held)
    await clock.advance(20_000 + startsMs)
    const { session } = server.health()
    fate = 'lose-request'
    // The last sign of life is ten seconds old at most; the claims are given up when it is 25 s old.
    await clock.advance(12_000)
    fate = 'pass'
    await clock.advance(60_000)
    expect({ startsMs, session: server.health().session }).toEqual({ startsMs, session })
    const stopping = server.stop({ grace: 0 })
    await clock.advance(30_000)
    await stopping
  }
})
