import type { Payload } from '../storage/job.ts'

/** Turns values into what a storage keeps, and back. Data only: no codec ever stores code. */
export interface Codec {
  /** Written before every payload of this codec, so that it can be read wherever it turns up. Letters, digits, dashes. */
  readonly name: string
  /** Throws a QError Q_NOT_SERIALIZABLE that names the path of what cannot be kept. */
  encode(value: unknown): Payload
  decode(payload: Payload): unknown
  /** A short text for lists, where the payload itself is no text. */
  preview?(value: unknown): string
}
