import { defineJob, disableConcurrentExecution } from '@q/core'
import { takeTime } from '../services/take-time.ts'
import type { Order } from '../shop/order.ts'

/** Waits for the payment and the print; and since there is one packing table, each parcel waits for the one before. */
export const shipOrder = defineJob({
  name: 'order.ship',
  queue: 'office',
  expiresIn: '2h',
  keep: { succeeded: '3h', deleted: '3h' },
  filters: [disableConcurrentExecution('packing table')],
  async run({ number, copies }: Order, ctx) {
    ctx.progress(0.3, copies === 1 ? 'rolling the print' : `rolling ${copies} prints`)
    await takeTime(200, 700, ctx.signal)
    ctx.progress(0.8, 'writing the label')
    await takeTime(100, 400, ctx.signal)
    return { parcel: `HL${number}DE` }
  },
})
