import { QError } from '../errors.ts'
import type { Codec } from './codec.ts'

/** Deeper than any data people keep, and far from the end of the stack. */
const deepest = 500
/** A cycle is soon deeper than this. */
const plainDepth = 50

/** The default: JSON, refusing what JSON would lose in silence. A property that is `undefined` is dropped, as JSON does. */
export const jsonCodec: Codec = {
  name: 'json',
  encode(value) {
    const problem = look(value)
    if (problem !== null) throw refusal(problem)
    return value === undefined ? 'null' : JSON.stringify(value)
  },
  decode: (payload) => JSON.parse(typeof payload === 'string' ? payload : Buffer.from(payload).toString('utf8')),
}

/** Getters and proxies are code of their owner, and may do anything but pass for data. */
function look(value: unknown): Lossy | null {
  try {
    return isSurelyKept(value, 0) ? null : findLossy(value, 0, null)
  } catch (error) {
    throw new QError('Q_NOT_SERIALIZABLE', 'The value cannot be read: one of its getters threw. Pass plain data.', {
      cause: error,
    })
  }
}

/** Nearly all data is this plain, and is passed without noting the way. What is not is judged by `findLossy`. */
function isSurelyKept(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value)
    case 'object':
      if (value === null) return true
      if (depth >= plainDepth) return false
      return Array.isArray(value) ? isKeptList(value, depth) : isKeptObject(value as Record<string, unknown>, depth)
    default:
      return false
  }
}

function isKeptList(list: readonly unknown[], depth: number): boolean {
  for (let index = 0; index < list.length; index++) if (!isSurelyKept(list[index], depth + 1)) return false
  return true
}

function isKeptObject(object: Readonly<Record<string, unknown>>, depth: number): boolean {
  if (Object.getPrototypeOf(object) !== Object.prototype) return false
  for (const key in object) {
    const value = object[key]
    if (value !== undefined && !isSurelyKept(value, depth + 1)) return false
  }
  return true
}

interface Lossy {
  /** From the offending value outwards. */
  readonly path: string[]
  readonly what: string
}

/** The object we are inside of, and those around it. */
interface Above {
  readonly object: object
  readonly above: Above | null
}

/** The first thing in a value that JSON would change or drop, or null. */
function findLossy(value: unknown, depth: number, above: Above | null): Lossy | null {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return null
    case 'undefined':
      return depth === 0 ? null : { path: [], what: 'undefined' }
    case 'number':
      return Number.isFinite(value) ? null : { path: [], what: String(value) }
    case 'bigint':
      return { path: [], what: 'a BigInt' }
    case 'function':
      return { path: [], what: 'a function' }
    case 'symbol':
      return { path: [], what: 'a symbol' }
  }
  if (value === null || typeof value !== 'object') return null
  if (depth > deepest) return { path: [], what: `data nested more than ${deepest} levels deep` }
  for (let around = above; around !== null; around = around.above) {
    if (around.object === value) return { path: [], what: 'a cycle' }
  }
  const inside = { object: value, above }
  return Array.isArray(value) ? findInArray(value, depth, inside) : findInObject(value, depth, inside)
}

function findInArray(list: readonly unknown[], depth: number, above: Above): Lossy | null {
  for (let index = 0; index < list.length; index++) {
    const found = findLossy(list[index], depth + 1, above)
    if (found !== null) {
      found.path.push(`[${index}]`)
      return found
    }
  }
  return null
}

function findInObject(object: object, depth: number, above: Above): Lossy | null {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null && !isForeignPlain(prototype)) {
    return { path: [], what: `an instance of ${nameOfClass(object)}` }
  }
  for (const key of Object.keys(object)) {
    const value: unknown = Reflect.get(object, key)
    if (value === undefined) continue
    const found = findLossy(value, depth + 1, above)
    if (found !== null) {
      found.path.push(/^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`)
      return found
    }
  }
  return null
}

/** Plain objects of another realm (a vm context, a test runner) have an Object.prototype of their own. */
function isForeignPlain(prototype: unknown): boolean {
  return (
    typeof prototype === 'object' &&
    prototype !== null &&
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype, 'isPrototypeOf')
  )
}

function nameOfClass(object: object): string {
  const constructor: unknown = Reflect.get(object, 'constructor')
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'a class'
}

function refusal({ path, what }: Lossy): QError {
  const where = path.toReversed().join('').replace(/^\./, '')
  return new QError(
    'Q_NOT_SERIALIZABLE',
    `${where === '' ? 'The value' : `"${where}"`} is ${what}, which JSON cannot keep. ` +
      `Turn it into plain data first, or give the client and the server \`codec: structuredCodec\` (Date, Map, Set, BigInt, bytes).`,
  )
}
