import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Place } from './contender.ts'

/** What the process beside the measured one is told to do. */
export interface SendOrder {
  readonly contender: string
  readonly place: Place
  readonly count: number
  readonly everyMs: number
}

export async function sendElsewhere(order: SendOrder): Promise<readonly number[]> {
  const child = fork(join(import.meta.dirname, 'send.ts'), [JSON.stringify(order)], { execArgv: process.execArgv })
  let sentAt: readonly number[] | undefined
  child.on('message', (message) => (sentAt = message as readonly number[]))
  await once(child, 'exit')
  if (sentAt === undefined) throw new Error(`${order.contender}: the process that enqueues ended before it had done so`)
  return sentAt
}
