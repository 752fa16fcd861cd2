import { QError } from '../errors.ts'
import { cutToBytes } from '../storage/preview.ts'
import type { Payload } from '../storage/job.ts'
import { payloadBytes } from '../storage/validate.ts'
import type { Codec } from './codec.ts'
import { jsonCodec } from './json-codec.ts'
import { structuredCodec } from './structured-codec.ts'

/** `~`: no JSON text starts with it. Then the codec's name, a colon, and what the codec wrote. */
const mark = 0x7e
const defaultMaxBytes = 1_048_576

/** Writes with one codec and reads all it knows: payloads say themselves which codec wrote them. */
export interface Wire {
  /** `what` names the value in the message of a refusal. */
  encode(value: unknown, what: string): Payload
  decode(payload: Payload): unknown
  preview(value: unknown): string | undefined
}

export function createWire(codec: Codec = jsonCodec, maxBytes: number = defaultMaxBytes): Wire {
  const known = new Map([jsonCodec, structuredCodec, codec].map((one) => [one.name, one]))
  return {
    encode(value, what) {
      const payload = codec === jsonCodec ? codec.encode(value) : seal(codec, codec.encode(value))
      if (typeof payload === 'string' && payload.length * 3 <= maxBytes) return payload
      const bytes = payloadBytes(payload)
      if (bytes <= maxBytes) return payload
      throw new QError(
        'Q_PAYLOAD_TOO_LARGE',
        `${what} takes ${bytes} bytes; the limit is ${maxBytes}. Store the data elsewhere and pass its key, or raise \`maxPayload\`.`,
      )
    },
    decode(payload) {
      const sealed = unseal(payload)
      if (sealed === null) return jsonCodec.decode(payload)
      const reader = known.get(sealed.codec)
      if (reader !== undefined) return reader.decode(sealed.body)
      throw new QError(
        'Q_JOB_LOAD',
        `It was written with the codec "${sealed.codec}", which is not known here. Give it as \`codec\`.`,
      )
    },
    preview: (value) => {
      const text = codec.preview?.(value)
      return text === undefined ? undefined : cutToBytes(text, 256)
    },
  }
}

function seal(codec: Codec, body: Payload): Payload {
  if (typeof body === 'string') return `~${codec.name}:${body}`
  return Buffer.concat([Buffer.from(`~${codec.name}:`), body])
}

function unseal(payload: Payload): { readonly codec: string; readonly body: Payload } | null {
  if (typeof payload === 'string') {
    if (payload.charCodeAt(0) !== mark) return null
    const colon = payload.indexOf(':')
    return { codec: payload.slice(1, colon), body: payload.slice(colon + 1) }
  }
  if (payload[0] !== mark) return null
  const colon = payload.indexOf(0x3a)
  return { codec: Buffer.from(payload.subarray(1, colon)).toString('latin1'), body: payload.subarray(colon + 1) }
}
