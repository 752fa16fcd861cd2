import { setTimeout as sleep } from 'node:timers/promises'
import type { BaseClient } from '@q/core'
import { jobOf, steps } from '../shop/order.ts'
import type { Html } from './html.ts'
import { orderCard } from './order-card.ts'
import { recentList } from './pages.ts'
import { type OrderView, readOrder, recentOrders } from './read-order.ts'

const calmMs = 60
const frontPageMs = 1000
const shown = 9

/** The order's card, whenever one of its jobs has news, until the order is over. */
export async function* watchOrder(client: BaseClient, number: string, signal: AbortSignal): AsyncGenerator<Html> {
  let news = Promise.withResolvers<void>()
  const listeners = steps.map(async (step) => {
    for await (const _event of client.handle(jobOf(number, step)).subscribe({ signal })) news.resolve()
    news.resolve()
  })
  // A job whose retention has ended has no news; the next look at the order shows what is left of it.
  void Promise.allSettled(listeners)
  const left = aborted(signal)
  while (true) {
    const view = await readOrder(client, number)
    if (view === null) return
    yield orderCard(view)
    if (view.isOver) return
    await Promise.race([news.promise, left])
    // Several jobs often move at once: one card tells it all.
    await sleep(calmMs, undefined, { signal })
    news = Promise.withResolvers()
  }
}

/** The latest orders, looked at once a second while somebody has the page open. */
export async function* watchRecent(client: BaseClient, signal: AbortSignal): AsyncGenerator<Html> {
  let seen = -1
  while (true) {
    const changes = await client.monitor.changes()
    if (changes !== seen) yield recentList(await readRecent(client))
    seen = changes
    await sleep(frontPageMs, undefined, { signal })
  }
}

export async function readRecent(client: BaseClient): Promise<readonly OrderView[]> {
  const numbers = await recentOrders(client, shown)
  const views = await Promise.all(numbers.map((number) => readOrder(client, number)))
  return views.filter((view) => view !== null)
}

function aborted(signal: AbortSignal): Promise<never> {
  const left = new Promise<never>((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
  // Whoever leaves after the last card has nobody waiting for them.
  left.catch(() => undefined)
  return left
}
