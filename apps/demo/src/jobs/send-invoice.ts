import { defineJob } from '@q/core'
import { takeTime } from '../services/take-time.ts'
import { money } from '../shop/catalogue.ts'
import { type Order, tagOf } from '../shop/order.ts'
import { sendMail } from './send-mail.ts'

/** Follows the payment; the mail is work of its own, so that a mail server in trouble never writes a second invoice. */
export const sendInvoice = defineJob({
  name: 'order.invoice',
  queue: 'office',
  keep: { succeeded: '3h', deleted: '3h' },
  async run({ number, customer, cents }: Order, ctx) {
    await takeTime(100, 500, ctx.signal)
    const invoice = `INV-${number}`
    await ctx.client.enqueue(
      sendMail,
      { to: customer.email, subject: `Invoice ${invoice}, ${money(cents)}`, order: number },
      { tags: [tagOf(number)] },
    )
    return { invoice }
  },
})
