import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { isSize, printOf } from '../shop/catalogue.ts'
import { type Order, makeOrder } from '../shop/order.ts'

const longest = 4000

/** The order a visitor filled in; a text says what is wrong with it. */
export async function readOrderForm(request: IncomingMessage): Promise<Order | string> {
  if (Number(request.headers['content-length'] ?? Infinity) > longest) return 'That was too long for an order.'
  const form = new URLSearchParams(await text(request))
  const field = (name: string): string => form.get(name)?.trim() ?? ''
  const size = field('size')
  const copies = Number(field('copies'))
  if (printOf(field('print')) === undefined) return 'We do not have that print.'
  if (!isSize(size)) return 'We do not print in that size.'
  if (!Number.isInteger(copies) || copies < 1 || copies > 9) return 'We print one to nine copies.'
  if (field('name') === '') return 'Please tell us your name.'
  if (!/^\S+@\S+$/.test(field('email'))) return 'Please give us a mail address, so that we can send the invoice.'
  return makeOrder({ name: field('name'), email: field('email') }, field('print'), size, copies)
}
