import type { RawClaimed, RawOutcome } from '../codec.ts'
import type { Statement } from '../statement.ts'

export interface RawSignal {
  readonly id: string
  readonly call: number
  readonly reason: string | null
  readonly grace: number | null
  readonly voided: boolean
}

export interface ExchangeReply {
  readonly done: readonly number[] | null
  readonly slow: readonly RawOutcome[]
  readonly noted: readonly boolean[] | null
  readonly claimed: readonly RawClaimed[] | null
  readonly more: boolean
  readonly next: number | null
  readonly adoptable: boolean
  readonly cancel: readonly RawSignal[]
  readonly queues: number
  readonly names: number
  readonly now: number
  readonly topics: string | null
}

export const openSession: Statement<
  [id: string, server: string, ttl: number, info: string, replaces: string | null],
  { topics: string | null }
> = { name: 'open-session', text: (q) => /* sql */ `select ${q}.open_v1($1, $2, $3, $4, $5) as topics` }

export const exchange: Statement<
  [
    session: string,
    call: number,
    plain: string | null,
    slow: string | null,
    notes: string | null,
    max: number,
    extra: number,
    queues: readonly number[] | null,
    caps: readonly (number | null)[] | null,
    adopt: readonly string[] | null,
    state: string | null,
  ],
  { reply: ExchangeReply }
> = {
  name: 'exchange',
  text: (q) =>
    /* sql */ `select ${q}.exchange_v1($1, $2, $3::json, $4::jsonb, $5::jsonb, $6, $7, $8::int[], $9::int[], $10::text[], $11) as reply`,
}

export const reconcile: Statement<
  [session: string, call: number, list: string],
  { reply: { readonly applied: readonly RawOutcome[]; readonly claimed: readonly RawClaimed[]; readonly now: number } }
> = { name: 'reconcile', text: (q) => /* sql */ `select ${q}.reconcile_v1($1, $2, $3::jsonb) as reply` }

export const heartbeat: Statement<
  [ids: readonly string[]],
  {
    reply: readonly {
      readonly id: string
      readonly alive: boolean
      readonly cancel: readonly RawSignal[]
      readonly queues: number
    }[]
  }
> = { name: 'heartbeat', text: (q) => /* sql */ `select ${q}.heartbeat_v1($1::text[]) as reply` }

export const endSession: Statement<[id: string], { topics: string | null }> = {
  name: 'end-session',
  text: (q) => /* sql */ `select ${q}.end_v1($1) as topics`,
}
