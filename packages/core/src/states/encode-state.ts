import { errorFingerprint, errorPreview, serializeError } from '../codec/serialized-error.ts'
import type { Wire } from '../codec/wire.ts'
import { isQError } from '../errors.ts'
import type { StateInput } from '../storage/job.ts'
import { cutToBytes } from '../storage/preview.ts'
import { definitionOf } from './define-state.ts'
import type { AnyState } from './state.ts'

/** What stands in the place of a result that could not be stored. The work was done, so the job still succeeds. */
export interface MissingResult {
  readonly '~missing': string
}

const mostReasonBytes = 1000

/** A state as a storage keeps it. Never fails for what user code put into it: that would lose the end of a run. */
export function encodeState(
  state: AnyState,
  jobName: string,
  wire: Wire,
  onLoss: (problem: string) => void,
): StateInput {
  const definition = definitionOf(state)
  const reason = state.reason === undefined ? undefined : cleanText(state.reason)
  if ('error' in state) {
    const error = serializeError(state.error)
    return {
      name: state.name,
      phase: definition.phase,
      reason: reason ?? cleanText(error.message === '' ? error.name : error.message),
      data: JSON.stringify(error),
      error: { fingerprint: errorFingerprint(jobName, error), preview: errorPreview(error) },
    }
  }
  const data: unknown = definition.toData?.(state as never)
  return {
    name: state.name,
    phase: definition.phase,
    reason,
    data: data === undefined ? undefined : encodeData(data, wire, onLoss),
  }
}

function encodeData(data: unknown, wire: Wire, onLoss: (problem: string) => void): StateInput['data'] {
  try {
    return wire.encode(data, 'The result')
  } catch (error) {
    const problem = isQError(error) ? error.message : `It could not be encoded: ${String(error)}`
    onLoss(problem)
    return JSON.stringify({ '~missing': cleanText(problem) } satisfies MissingResult)
  }
}

/** Text of user code that every storage can keep: no NUL, no half characters, not endless. */
export function cleanText(text: string): string {
  return cutToBytes(String(text).replaceAll('\0', '\uFFFD').toWellFormed(), mostReasonBytes)
}
