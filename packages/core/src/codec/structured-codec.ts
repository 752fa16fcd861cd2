import { deserialize, serialize } from 'node:v8'
import { inspect } from 'node:util'
import { QError } from '../errors.ts'
import { cutToBytes } from '../storage/preview.ts'
import type { Codec } from './codec.ts'

/** Everything the structured clone algorithm keeps: Date, Map, Set, BigInt, RegExp, typed arrays, cycles. As bytes. */
export const structuredCodec: Codec = {
  name: 'v8',
  encode(value) {
    refuseLossy(value, '', new Set())
    return serialize(value)
  },
  decode: (payload) => deserialize(typeof payload === 'string' ? Buffer.from(payload) : payload),
  preview: (value) =>
    cutToBytes(inspect(value, { depth: 3, breakLength: Infinity, maxStringLength: 100, maxArrayLength: 10 }), 256),
}

const kept: readonly (abstract new (...args: never[]) => unknown)[] = [Date, RegExp, Map, Set, Error, ArrayBuffer]

/** v8 throws on functions and symbols, but turns class instances into plain objects without a word. */
function refuseLossy(value: unknown, path: string, seen: Set<object>): void {
  if (typeof value === 'function' || typeof value === 'symbol') throw refusal(path, `a ${typeof value}`)
  if (typeof value !== 'object' || value === null || seen.has(value)) return
  seen.add(value)
  if (seen.size > 1_000_000) return
  if (value instanceof Map) {
    for (const [key, item] of value) {
      refuseLossy(key, `${path}.<key>`, seen)
      refuseLossy(item, `${path}.<value>`, seen)
    }
  } else if (value instanceof Set) {
    for (const item of value) refuseLossy(item, `${path}.<item>`, seen)
  } else if (Array.isArray(value)) {
    value.forEach((item, index) => refuseLossy(item, `${path}[${index}]`, seen))
  } else if (ArrayBuffer.isView(value) || kept.some((type) => value instanceof type)) {
    return
  } else {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== null && prototype !== Object.prototype && Object.getPrototypeOf(prototype) !== null) {
      throw refusal(path, `an instance of ${value.constructor.name || 'a class'}`)
    }
    for (const key of Object.keys(value)) refuseLossy(Reflect.get(value, key), `${path}.${key}`, seen)
  }
}

function refusal(path: string, what: string): QError {
  return new QError(
    'Q_NOT_SERIALIZABLE',
    `${path === '' ? 'The value' : `"${path.replace(/^\./, '')}"`} is ${what}, which cannot be kept. Turn it into plain data first.`,
  )
}
