import type { Payload, Phase, StateInput } from '../storage/job.ts'

/** Bytes are copied on their way in and out, so that nobody holds a piece of the storage. Text cannot change. */
export function copyPayload<P extends Payload | undefined>(payload: P): P {
  return (payload instanceof Uint8Array ? new Uint8Array(payload) : payload) as P
}

export function copyState({ name, phase, reason, data, error }: StateInput): StateInput {
  if (reason === undefined && data === undefined && error === undefined) return bareState(name, phase)
  return {
    name,
    phase,
    reason,
    data: copyPayload(data),
    error: error && { fingerprint: error.fingerprint, preview: error.preview },
  }
}

/** A state that says nothing but its name, as nearly all do, is the same for all jobs. */
function bareState(name: string, phase: Phase): StateInput {
  const known = bareStates.get(name)
  if (known?.phase === phase) return known
  const state = Object.freeze({ name, phase, reason: undefined, data: undefined, error: undefined })
  if (bareStates.size < 1000) bareStates.set(name, state)
  return state
}

const bareStates = new Map<string, StateInput>()

/** A copy of plain data, frozen all through; fields that are undefined are left out, so that equal data is equal. */
export function frozenCopy<T>(value: T): T {
  return copyOf(value) as T
}

function copyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (Array.isArray(value)) return Object.freeze(value.map(copyOf))
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return Object.freeze(Object.fromEntries(fields.map(([name, field]) => [name, copyOf(field)])))
}
