import { createHash } from 'node:crypto'
import { cutToBytes } from '../storage/preview.ts'

/** An error as data: whatever was thrown keeps its name, message, stack, causes, members and own properties. */
export interface SerializedError {
  readonly name: string
  readonly message: string
  readonly stack?: string | undefined
  readonly code?: string | undefined
  readonly cause?: SerializedError | undefined
  /** The members of an AggregateError. */
  readonly errors?: readonly SerializedError[] | undefined
  /** Own properties, as far as they are data. */
  readonly properties?: Readonly<Record<string, unknown>> | undefined
  /** Set when something other than an error was thrown. */
  readonly thrown?: string | undefined
}

const mostCauses = 8
const mostMembers = 20
const mostText = 16_384

export function serializeError(thrown: unknown, depth: number = 0): SerializedError {
  if (!isErrorLike(thrown)) {
    const text = describeThrown(thrown)
    return { name: 'Error', message: cut(text, mostText), thrown: thrown === null ? 'null' : typeof thrown }
  }
  const { cause, errors } = thrown as { cause?: unknown; errors?: unknown }
  const code = read(thrown, 'code')
  const properties = ownData(thrown)
  const stack = read(thrown, 'stack')
  return {
    name: cut(String(read(thrown, 'name') ?? 'Error'), 255),
    message: cut(String(read(thrown, 'message') ?? ''), mostText),
    ...(typeof stack === 'string' ? { stack: cut(stack, mostText) } : {}),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: cut(String(code), 255) } : {}),
    ...(cause !== undefined && depth < mostCauses ? { cause: serializeError(cause, depth + 1) } : {}),
    ...(Array.isArray(errors) && depth < mostCauses
      ? { errors: errors.slice(0, mostMembers).map((member) => serializeError(member, depth + 2)) }
      : {}),
    ...(properties === null ? {} : { properties }),
  }
}

/** An Error again, for those who await a job: same name, message, stack and cause; not the same class. */
export function reviveError(data: SerializedError): Error {
  const cause = data.cause ? { cause: reviveError(data.cause) } : undefined
  const error = data.errors
    ? new AggregateError(data.errors.map(reviveError), data.message, cause)
    : new Error(data.message, cause)
  Object.defineProperty(error, 'name', { value: data.name, configurable: true, writable: true })
  if (data.stack !== undefined)
    Object.defineProperty(error, 'stack', { value: data.stack, configurable: true, writable: true })
  for (const [key, value] of Object.entries(data.properties ?? {})) {
    if (key !== '__proto__')
      Object.defineProperty(error, key, { value, configurable: true, writable: true, enumerable: true })
  }
  if (data.code !== undefined && !('code' in error))
    Object.defineProperty(error, 'code', { value: data.code, configurable: true, enumerable: true })
  return error
}

/** One line for lists: `SmtpError: 451 temporarily unavailable`. At most 200 bytes. */
export function errorPreview(error: SerializedError): string {
  // oxlint-disable-next-line no-control-regex -- control characters have no place in a line
  return cutToBytes(`${error.name}: ${error.message}`.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' '), 200)
}

/** The same for all failures people would call the same: numbers, ids and quoted parts are blanked; the first own frame counts. */
export function errorFingerprint(jobName: string, error: SerializedError): string {
  const message = error.message
    .slice(0, 500)
    .replace(/"[^"]*"|'[^']*'|`[^`]*`/g, '"…"')
    .replace(/\b(?=[\w-]*\d)[\w-]{6,}\b/g, '#')
    .replace(/\d+/g, '#')
  const frame = firstOwnFrame(error.stack)
  return createHash('sha256')
    .update(JSON.stringify([jobName, error.name, message, frame]))
    .digest('hex')
    .slice(0, 16)
}

function firstOwnFrame(stack: string | undefined): string {
  const frame = stack
    ?.split('\n', 30)
    .find(
      (line) =>
        /^\s+at /.test(line) && !line.includes('node_modules') && !line.includes('node:') && !line.includes('@q/'),
    )
  // The function and file say where; the line number moves with every edit above it.
  return (
    frame
      ?.trim()
      .replace(/:\d+:\d+\)?$/, '')
      .replace(/^.*[\\/]/, '') ?? ''
  )
}

function isErrorLike(thrown: unknown): thrown is object {
  return thrown instanceof Error || Object.prototype.toString.call(thrown) === '[object Error]'
}

function describeThrown(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown
  try {
    return (typeof thrown === 'object' && thrown !== null ? JSON.stringify(thrown) : undefined) ?? String(thrown)
  } catch {
    return Object.prototype.toString.call(thrown)
  }
}

/** A getter of a foreign error may itself throw. */
function read(error: object, key: string): unknown {
  try {
    return Reflect.get(error, key)
  } catch {
    return undefined
  }
}

const ownKeys = new Set(['name', 'message', 'stack', 'cause', 'errors', 'code'])

function ownData(error: object): Record<string, unknown> | null {
  const data: Record<string, unknown> = {}
  let budget = 4096
  for (const key of Object.keys(error)) {
    if (ownKeys.has(key) || key.startsWith('~')) continue
    try {
      const text = JSON.stringify(read(error, key))
      if (text === undefined || (budget -= text.length) < 0) continue
      Object.defineProperty(data, key, {
        value: JSON.parse(text),
        enumerable: true,
        configurable: true,
        writable: true,
      })
    } catch {
      // What is no data (a cycle, a BigInt, a socket) stays behind; the error itself must be kept whatever it carries.
    }
  }
  return Object.keys(data).length === 0 ? null : data
}

/** NUL cannot be stored everywhere, and half a character nowhere. */
function cut(text: string, most: number): string {
  const short = text.length > most ? `${text.slice(0, most)}…` : text
  return (short.includes('\0') ? short.replaceAll('\0', '\uFFFD') : short).toWellFormed()
}
