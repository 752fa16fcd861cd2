import { defineJob } from '@q/core'
import { prints } from '../shop/catalogue.ts'
import type { Size } from '../shop/catalogue.ts'
import { makeOrder } from '../shop/order.ts'
import { placeOrder } from '../shop/place-order.ts'

const names = ['Ada', 'Grace', 'Edsger', 'Barbara', 'Alan', 'Katherine', 'Donald', 'Margaret', 'Niklaus', 'Radia']
const favourites: readonly Size[] = ['A4', 'A4', 'A3', 'A3', 'A2']

/**
 * The steady load: customers who are not there. It is a recurring job like any other, so however many processes share the
 * storage, there are as many customers as with one.
 */
export const bringVisitors = defineJob({
  name: 'shop.visitors',
  queue: 'office',
  retry: false,
  keep: { succeeded: '10m', failed: '1h' },
  async run({ orders }: { readonly orders: number }, ctx) {
    const placed: string[] = []
    for (let left = orders; left > 0 && !ctx.signal.aborted; left--) {
      const name = pick(names)
      const order = makeOrder(
        { name, email: `${name.toLowerCase()}@example.com` },
        pick(prints).id,
        pick(favourites),
        1 + Math.floor(Math.random() * 3),
      )
      await placeOrder(ctx.client, order)
      placed.push(order.number)
    }
    return { placed }
  },
})

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)]!
}
