import type { Payload, StateInput } from '../storage/job.ts'

/** Bytes are copied on their way in and out, so that nobody holds a piece of the storage. Text cannot change. */
export function copyPayload<P extends Payload | undefined>(payload: P): P {
  return (payload instanceof Uint8Array ? new Uint8Array(payload) : payload) as P
}

export function copyState(state: StateInput): StateInput {
  return {
    name: state.name,
    phase: state.phase,
    reason: state.reason,
    data: copyPayload(state.data),
    error: state.error && { fingerprint: state.error.fingerprint, preview: state.error.preview },
  }
}

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
