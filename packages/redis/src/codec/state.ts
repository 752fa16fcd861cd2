import { cutToBytes } from '@q/core/storage'
import { phaseNumber, phaseOf, stateNames } from './layout.ts'
import type { Payload, StateInput } from '@q/core/storage'

const bits = { reason: 1, data: 2, binary: 4, error: 8, by: 16, command: 32 } as const

/** States that are nothing but a name, which is what most states are. */
const bare = new Map<string, Buffer>()

/** A state; its author and command are added by the scripts, which know both. */
export function encodeState(state: StateInput, by?: string): Buffer {
  const { name, phase, reason, data, error } = state
  if (by || reason !== undefined || data !== undefined || error || !stateNames.includes(name)) {
    return encodeWhole(state, by)
  }
  const key = phase + name
  let bytes = bare.get(key)
  if (bytes === undefined) bare.set(key, (bytes = encodeWhole(state)))
  return bytes
}

function encodeWhole(state: StateInput, by?: string): Buffer {
  const code = stateNames.indexOf(state.name) + 1
  const parts: Buffer[] = []
  let has = 0
  if (code === 0) parts.push(shortText(state.name))
  if (state.reason !== undefined) {
    has |= bits.reason
    parts.push(shortText(state.reason))
  }
  if (state.data !== undefined) {
    has |= bits.data | (typeof state.data === 'string' ? 0 : bits.binary)
    const data = Buffer.from(state.data as string)
    const size = Buffer.allocUnsafe(4)
    size.writeUInt32BE(data.length)
    parts.push(size, data)
  }
  if (state.error) {
    has |= bits.error
    parts.push(shortText(state.error.fingerprint), shortText(state.error.preview))
  }
  if (by) {
    has |= bits.by
    parts.push(shortText(by))
  }
  const head = Buffer.from([phaseNumber(state.phase), has, code])
  return parts.length === 0 ? head : Buffer.concat([head, ...parts])
}

function shortText(text: string): Buffer {
  const cut = cutToBytes(text, 0xffff)
  const bytes = Buffer.allocUnsafe(2 + Buffer.byteLength(cut))
  bytes.writeUInt16BE(bytes.length - 2)
  bytes.write(cut, 2)
  return bytes
}

export interface DecodedState {
  readonly state: StateInput
  readonly by: string
  readonly command?: string | undefined
}

export function decodeState(bytes: Buffer): DecodedState {
  const [phase, has, code] = [bytes[0]!, bytes[1]!, bytes[2]!]
  let at = 3
  const text = (): string => {
    const end = at + 2 + bytes.readUInt16BE(at)
    const value = bytes.toString('utf8', at + 2, end)
    at = end
    return value
  }
  const name = code === 0 ? text() : stateNames[code - 1]!
  const reason = has & bits.reason ? text() : undefined
  let data: Payload | undefined
  if (has & bits.data) {
    const size = bytes.readUInt32BE(at)
    data = payloadOf(bytes.subarray(at + 4, at + 4 + size), (has & bits.binary) !== 0)
    at += 4 + size
  }
  const error = has & bits.error ? { fingerprint: text(), preview: text() } : undefined
  const by = has & bits.by ? text() : ''
  const command = has & bits.command ? text() : undefined
  return {
    state: {
      name,
      phase: phaseOf(phase),
      ...(reason === undefined ? {} : { reason }),
      ...(data === undefined ? {} : { data }),
      ...(error === undefined ? {} : { error }),
    },
    by,
    ...(command === undefined ? {} : { command }),
  }
}

export function payloadOf(bytes: Buffer, isBinary: boolean): Payload {
  return isBinary ? new Uint8Array(bytes) : bytes.toString('utf8')
}

/** A payload with its kind in front, where there is no flag for it. */
export function kinded(payload: Payload): Buffer {
  return typeof payload === 'string'
    ? Buffer.concat([Buffer.from('t'), Buffer.from(payload)])
    : Buffer.concat([Buffer.from('b'), payload])
}

export function unkinded(bytes: Buffer): Payload {
  return payloadOf(bytes.subarray(1), bytes[0] === 0x62)
}
