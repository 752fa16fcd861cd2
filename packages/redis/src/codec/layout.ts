import { createHash } from 'node:crypto'
import { phases } from '@q/core/storage'
import type { Phase, SessionId } from '@q/core/storage'

/**
 * How a job is written: first what stays as it is while nothing special happens (names, place, a packed map of what most
 * jobs do not have, the payload unless it is long and has a key of its own), then its states, oldest first. A state ends
 * with how long it is, so the present one is found from the end, and the next one is written behind it.
 */
export const recordHead = '>I3HHHHI4'
export const recordRest = '>I6I6I4'
/** At, attempt, number, phase, what it says of the run, length of the state; then the state, the run, and the length of all. */
export const recordState = '>I6HI3BBI4'

/**
 * What a state says of the run it belongs to: nothing; who began it, ready since the state before; how it ended that began
 * with the state before; or all there is to say. Of a run that has begun it is known whether it was claimed ahead.
 */
export const recordRuns = { none: 0, begun: 1, begunAhead: 2, ended: 3, whole: 4, wholeAhead: 5 } as const
export const runBegun = '>c8I5'
export const runEnded = '>I4c8I5'
export const runWhole = '>I4c8I5c8I5I6I6'

/** Characters of a job's id, all of one byte. */
export const idLength = 26
export const headLength = 15
export const restLength = 16
export const stateLength = 17
export const runLengths = [0, 13, 13, 17, 42, 42] as const

/** What is known of a job beside its fields; not all of it means something on our side. */
export const recordFlags = {
  binary: 1,
  extra: 8,
  long: 16,
  handed: 32,
  waiting: 64,
  children: 128,
  prefetched: 256,
  noted: 512,
  stub: 1024,
  frail: 2048,
  /** Its packed map holds only what claims and ends do not ask for. */
  quiet: 4096,
} as const
/** How long a run took that has not ended. */
export const never = 0xffff_ffff

/** Bytes of a payload that stands in its job's record; a longer one has a key of its own, so that lists need not read it. */
export const longestInline = 2048

/** State names that take one byte. Append only. */
export const stateNames: readonly string[] = [
  'enqueued',
  'deleted',
  'failed',
  'processing',
  'succeeded',
  'scheduled',
  'awaiting',
  'parked',
]

export function phaseNumber(phase: Phase): number {
  return phases.indexOf(phase) + 1
}

export function phaseOf(number: number): Phase {
  const phase = phases[number - 1]
  if (phase === undefined) throw new Error(`a record names phase ${number}, which this version does not know`)
  return phase
}

const fingerprints = new Map<SessionId, string>()

/** A session in eight characters: what records and keys say instead of its id. Those in use are few, and always the same. */
export function fingerprintOf(session: SessionId): string {
  let fingerprint = fingerprints.get(session)
  if (fingerprint === undefined) {
    fingerprint = createHash('sha1').update(session).digest('base64url').slice(0, 8)
    if (fingerprints.size >= 1_000) fingerprints.clear()
    fingerprints.set(session, fingerprint)
  }
  return fingerprint
}
