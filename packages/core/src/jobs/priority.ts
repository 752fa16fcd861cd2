import { QError } from '../errors.ts'
import { excerpt } from '../schedule/excerpt.ts'
import type { Priority } from './enqueue-options.ts'

const named: Readonly<Record<string, number>> = { low: -10, normal: 0, high: 10 }

/** -100…100, higher first. */
export function priorityNumber(priority: Priority = 'normal'): number {
  const value = typeof priority === 'string' && Object.hasOwn(named, priority) ? named[priority]! : priority
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 100) return value
  throw new QError(
    'Q_OPTION_INVALID',
    `The priority "${excerpt(priority)}" is not 'low', 'normal', 'high' or a whole number from -100 to 100.`,
  )
}

/** Storages claim lower numbers first. */
export function toStoragePriority(priority: number): number {
  return 100 - priority
}

export function fromStoragePriority(priority: number): number {
  return 100 - priority
}
