import { randomInt } from 'node:crypto'
import { type JobId, jobIdFrom } from '@q/core'
import { type Size, priceOf } from './catalogue.ts'

export interface Customer {
  readonly name: string
  readonly email: string
}

export interface Order {
  readonly number: string
  readonly customer: Customer
  /** The id of a print in the catalogue. */
  readonly print: string
  readonly size: Size
  readonly copies: number
  readonly cents: number
}

/** What has to happen before a print is on its way, in the order a customer thinks of it. */
export const steps = ['charge', 'render', 'invoice', 'ship', 'tell'] as const

export type Step = (typeof steps)[number]

export function makeOrder(customer: Customer, print: string, size: Size, copies: number): Order {
  return { number: newOrderNumber(), customer, print, size, copies, cents: priceOf(size, copies) }
}

/** No letters and digits that people mistake for one another. */
const alphabet = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ'

function newOrderNumber(): string {
  return Array.from({ length: 6 }, () => alphabet[randomInt(alphabet.length)]).join('')
}

export function isOrderNumber(text: string): boolean {
  return text.length === 6 && [...text].every((letter) => alphabet.includes(letter))
}

/** The job of a step has an id made from the order's number: placing an order twice creates nothing twice. */
export function jobOf(number: string, step: Step): JobId {
  return jobIdFrom(`order ${number}: ${step}`)
}

/** Finds all jobs of an order on the dashboard. */
export function tagOf(number: string): string {
  return `order:${number}`
}
