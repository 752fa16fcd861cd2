import { QError } from '../errors.ts'
import type { Capabilities } from '../storage/storage.ts'

export const maxBatch = 1000
export const maxPayload: number = 16 * 1024 * 1024

export const capabilities: Capabilities = Object.freeze({
  durability: 'none',
  transactionalCreate: false,
  syncCreate: true,
  push: true,
  multiProcess: false,
  multiHost: false,
  search: 'scan',
  maxBatch,
  callsInFlight: 2,
  maxPayload,
})

/** Callers cut their lists; a longer one is a mistake that another storage would answer with a failed statement. */
export function refuseLongList(call: string, list: readonly unknown[]): void {
  if (list.length <= maxBatch) return
  const message = `${call} was given ${list.length} items and nothing was stored: send at most ${maxBatch} in one call.`
  throw new QError('Q_OPTION_INVALID', message)
}
