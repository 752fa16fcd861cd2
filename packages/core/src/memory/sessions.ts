import type { ClaimToken, JobId, Ms, Payload, SessionId } from '../storage/job.ts'
import type { Signals } from '../storage/work.ts'
import type { StoredJob } from './job.ts'

type Cancel = Signals['cancel'][number]

export interface SessionState {
  readonly id: SessionId
  server: string
  ttl: Ms
  info: Payload
  readonly openedAt: Ms
  seenAt: Ms
  /** Since when somebody suspects it; any sign of life clears that. */
  suspectAt: Ms | undefined
  standing: 'alive' | 'buried'
  /** The highest call seen or closed. */
  lastCall: number
  readonly held: Set<StoredJob>
  /** What it is told until the claim ends; of a voided claim, until it has named the token. */
  readonly cancel: Map<string, Cancel>
  readonly receipts: Receipts[]
}

/** Which claims one call ended, so that its repeat is told `already`. */
export interface Receipts {
  readonly call: number
  readonly ids: JobId[]
  readonly tokens: ClaimToken[]
}

const rememberedCalls = 8

export function newReceipts(session: SessionState, call: number): Receipts {
  const receipts: Receipts = { call, ids: [], tokens: [] }
  session.receipts.push(receipts)
  if (session.receipts.length > rememberedCalls) session.receipts.shift()
  return receipts
}

export function hasReceipt(receipts: Receipts | undefined, id: JobId, token: ClaimToken): boolean {
  if (receipts === undefined) return false
  for (let i = receipts.ids.indexOf(id); i >= 0; i = receipts.ids.indexOf(id, i + 1)) {
    if (receipts.tokens[i] === token) return true
  }
  return false
}

/** Asks the holder to stop, or tells it that its claim is already void. */
export function tellCancel(session: SessionState, cancel: Cancel): void {
  session.cancel.set(cancelKey(cancel.id, cancel.token), cancel)
}

export function untellCancel(session: SessionState, id: JobId, token: ClaimToken): void {
  if (session.cancel.size > 0) session.cancel.delete(cancelKey(id, token))
}

function cancelKey(id: JobId, token: ClaimToken): string {
  return `${id} ${token}`
}
