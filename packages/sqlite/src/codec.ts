import type { Gate, JobId, Keep, Ms, NewJob, Occurrence, Payload, Phase, StateInput, UniqueKey } from '@q/core/storage'
import { phases } from '@q/core/storage'

/** A phase stands in a row as its place in the contract's list, which only ever grows at its end. */
export function phaseNumber(phase: Phase): number {
  return numbers[phase]
}

export function phaseOf(number: number): Phase {
  return phases[number]!
}

const numbers = Object.fromEntries(phases.map((phase, index) => [phase, index])) as Record<Phase, number>

/** The driver hands out Buffers; the contract speaks of plain bytes. */
export function readPayload(value: Payload): Payload {
  return typeof value === 'string' ? value : new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
}

/** What never changes of a job and is rarely there, in one text; null for most jobs. */
export interface Cold {
  readonly params?: Readonly<Record<string, string>> | undefined
  readonly tags?: readonly string[] | undefined
  readonly recurring?: Occurrence | undefined
  readonly keep?: Keep | undefined
  readonly crashLimit?: number | undefined
}

const nothing: Cold = Object.freeze({})

export function encodeCold({ params, tags, recurring, keep, crashLimit }: NewJob): string | null {
  const hasTags = tags !== undefined && tags.length > 0
  if (params === undefined && !hasTags && recurring === undefined && keep === undefined && crashLimit === undefined)
    return null
  return JSON.stringify({ params, tags: hasTags ? tags : undefined, recurring, keep, crashLimit } satisfies Cold)
}

export function decodeCold(text: string | null): Cold {
  return text === null ? nothing : (JSON.parse(text) as Cold)
}

/** What only rare jobs have, in one text: nothing searches in it. */
export interface Rest {
  params?: Readonly<Record<string, string>> | undefined
  expiresAt?: Ms | undefined
  key?: { readonly key: string; readonly until: UniqueKey['until']; readonly expiresAt?: Ms | undefined } | undefined
  /** In the order of their keys. */
  gates?: readonly Gate[] | undefined
  /** Asleep at this gate. */
  asideAt?: string | undefined
  /** Put back by this gate, whose line of the queue counts it until it is claimed, set aside or ended. */
  offeredBy?: string | undefined
  parents?: readonly JobId[] | undefined
  then?: PackedState | undefined
  thenAt?: Ms | undefined
  thenDelay?: Ms | undefined
  /** The last sixteen. */
  commands?: string[] | undefined
  wish?: Wish | undefined
  neverExtra?: boolean | undefined
  /** Of the present claim. */
  extra?: boolean | undefined
  adoptedFor?: string | undefined
  busy?: { readonly key: string; readonly holder?: JobId | undefined } | undefined
  /** Log lines: of the present claim, and of all. */
  logged?: number | undefined
  logs?: number | undefined
  /** The claims that calls have ended, the last eight. */
  ended?: readonly EndedClaim[] | undefined
}

/** Which claim of a session was ended by which of its calls, so that a repeat of that call is told `already`. */
export interface EndedClaim {
  readonly session: number
  readonly call: number
  readonly by: number
}

/** A cancel that waits for the end of the present claim. */
export interface Wish {
  readonly to: PackedState
  readonly by: string
  readonly command?: string | undefined
  readonly keep?: Ms | null | undefined
  readonly grace?: Ms | undefined
}

/** A state as JSON; bytes are the only thing JSON cannot say. */
export type PackedState = Omit<StateInput, 'data'> & {
  readonly data?: string | { readonly base64: string } | undefined
}

export function packState(state: StateInput): PackedState {
  const { name, phase, reason, error, data } = state
  return { name, phase, reason, error, data: packPayload(data) }
}

export function openState(state: PackedState): StateInput {
  return { ...state, data: openPayload(state.data) }
}

function packPayload(data: Payload | undefined): PackedState['data'] {
  return typeof data === 'object' ? { base64: Buffer.from(data).toString('base64') } : data
}

function openPayload(data: PackedState['data']): Payload | undefined {
  return typeof data === 'object' ? new Uint8Array(Buffer.from(data.base64, 'base64')) : data
}

export function encodeRest(rest: Rest): string {
  return JSON.stringify(rest)
}

export function decodeRest(text: string): Rest {
  return JSON.parse(text) as Rest
}

/** A whole new job as JSON beside its payload: schedules keep one. */
export type PackedJob = Omit<NewJob, 'payload' | 'state' | 'then'> & {
  readonly state: PackedState
  readonly then?: PackedState | undefined
}

export function packJob({ payload: _, state, then, ...job }: NewJob): PackedJob {
  return { ...job, state: packState(state), then: then && packState(then) }
}

export function openJob({ state, then, ...job }: PackedJob, payload: Payload): NewJob {
  const open: NewJob = { ...job, state: withoutHoles(openState(state)), payload: readPayload(payload) }
  return then === undefined ? open : { ...open, then: withoutHoles(openState(then)) }
}

/** Fields that are undefined are left out, so that equal data is equal. */
export function withoutHoles<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T
}
