import type { BaseClient } from '@q/core'
import { jobOf } from './order.ts'

/** Stops what has not happened yet. What waited for a stopped job ends with it. */
export async function cancelOrder(client: BaseClient, number: string): Promise<void> {
  const reason = 'the customer cancelled the order'
  await Promise.all(
    (['charge', 'render', 'ship'] as const).map((step) => client.cancel(jobOf(number, step), { reason, grace: '2s' })),
  )
}
