import { cancelJob, defineFilter, defineJob, exponential } from '@q/core'
import { money } from '../shop/catalogue.ts'
import type { Order } from '../shop/order.ts'
import { sendMail } from './send-mail.ts'

/** Whoever cannot be charged hears of it: the mail is created in the very step that ends the payment. */
const apologise = defineFilter({
  name: 'apologise',
  stateApplied({ job, state, enqueue }) {
    if (state.name !== 'failed' && state.name !== 'deleted') return
    const { number, customer } = job.input as Order
    const mail = { to: customer.email, subject: `Your order ${number} was not charged`, order: number }
    enqueue(sendMail, mail, { tags: [...job.tags] })
  },
})

export const chargeOrder = defineJob({
  name: 'order.charge',
  queue: 'payments',
  priority: 'high',
  timeout: '20s',
  retry: { attempts: 6, backoff: exponential({ base: '1s', max: '1m' }) },
  keep: { succeeded: '3h', deleted: '3h' },
  filters: [apologise],
  async run({ customer, cents }: Order, ctx) {
    const payment = await ctx.use('bank').charge(customer.email, cents, ctx.signal)
    if (!payment.approved) return cancelJob('the card was declined')
    ctx.log.info(`Charged ${money(cents)}`, { reference: payment.reference, attempt: ctx.attempt })
    return { reference: payment.reference }
  },
})
