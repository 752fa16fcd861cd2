import { type Capabilities, QError } from '@q/core/storage'

export const maxBatch = 1000
export const maxPayload: number = 16 * 1024 * 1024

/** Durability is what the server's settings make of it; `synced` is what PostgreSQL does unless it was told otherwise. */
export const capabilities: Capabilities = {
  durability: 'synced',
  transactionalCreate: true,
  syncCreate: false,
  push: true,
  multiProcess: true,
  multiHost: true,
  search: 'scan',
  maxBatch,
  maxPayload,
}

export function refuseLongList(call: string, list: readonly unknown[]): void {
  if (list.length <= maxBatch) return
  throw new QError(
    'Q_OPTION_INVALID',
    `${call} was given ${list.length} items, and at most ${maxBatch} travel in one call (\`capabilities.maxBatch\`): split the list.`,
  )
}
