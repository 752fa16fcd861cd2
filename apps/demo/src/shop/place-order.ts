import type { BaseClient } from '@q/core'
import { chargeOrder } from '../jobs/charge-order.ts'
import { renderPrint } from '../jobs/render-print.ts'
import { sendInvoice } from '../jobs/send-invoice.ts'
import { sendMail } from '../jobs/send-mail.ts'
import { shipOrder } from '../jobs/ship-order.ts'
import { printOf } from './catalogue.ts'
import { type Order, jobOf, tagOf } from './order.ts'

/**
 * All the work of an order, created at once: payment and rendering start now, the invoice follows the payment, the parcel
 * waits for both, and the last mail for the parcel.
 */
export async function placeOrder(client: BaseClient, order: Order): Promise<void> {
  const { number, customer } = order
  const tags = [tagOf(number)]
  const [charged, rendered] = await Promise.all([
    client.enqueue(chargeOrder, order, { id: jobOf(number, 'charge'), tags }),
    client.enqueue(renderPrint, { print: order.print, size: order.size }, { id: jobOf(number, 'render'), tags }),
  ])
  await client.continueWith(charged, sendInvoice, order, { id: jobOf(number, 'invoice'), tags })
  const shipped = await client.continueWith([charged, rendered], shipOrder, order, { id: jobOf(number, 'ship'), tags })
  const title = printOf(order.print)?.title ?? order.print
  const mail = { to: customer.email, subject: `“${title}” is on its way to you`, order: number }
  await client.continueWith(shipped, sendMail, mail, { id: jobOf(number, 'tell'), tags })
}
