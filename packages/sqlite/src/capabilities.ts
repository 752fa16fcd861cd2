import type { Capabilities } from '@q/core/storage'
import { QError } from '@q/core/storage'

export const maxBatch = 1000
export const maxPayload: number = 16 * 1024 * 1024

export function capabilitiesOf(options: {
  readonly isMemory: boolean
  readonly isGiven: boolean
  readonly durable: boolean
}): Capabilities {
  const { isMemory, isGiven, durable } = options
  return Object.freeze({
    durability: isMemory ? 'none' : durable ? 'synced' : 'process',
    // A database in memory has one connection: only who gave it to us can have a transaction on it.
    transactionalCreate: !isMemory || isGiven,
    syncCreate: true,
    push: true,
    multiProcess: !isMemory,
    multiHost: false,
    search: 'scan',
    maxBatch,
    maxPayload,
  })
}

/** Callers cut their lists; a longer one would hold the write lock for too long. */
export function refuseLongList(call: string, list: readonly unknown[]): void {
  if (list.length <= maxBatch) return
  const message = `${call} was given ${list.length} items and nothing was stored: send at most ${maxBatch} in one call.`
  throw new QError('Q_OPTION_INVALID', message)
}
