import { inspect, isDeepStrictEqual } from 'node:util'

const mostShown = 8

/** Where two results differ, path by path, for people. */
export function differences(found: unknown, expected: unknown): string {
  const lines = [...pathsOf(found, expected, '')]
  const rest = lines.length > mostShown ? [`… and ${lines.length - mostShown} more`] : []
  return [...lines.slice(0, mostShown), ...rest].join('\n')
}

function* pathsOf(found: unknown, expected: unknown, path: string): Generator<string> {
  if (isDeepStrictEqual(found, expected)) return
  if (!isNested(found) || !isNested(expected) || Array.isArray(found) !== Array.isArray(expected)) {
    yield `${path || 'result'}: found ${short(found)}, the memory engine has ${short(expected)}`
    return
  }
  const named = 'id' in found && typeof found['id'] === 'string' ? `(${found['id']})` : ''
  for (const key of new Set([...Object.keys(found), ...Object.keys(expected)])) {
    yield* pathsOf(Reflect.get(found, key), Reflect.get(expected, key), `${path}${named}.${key}`)
  }
}

function isNested(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function short(value: unknown): string {
  return inspect(value, { depth: 3, breakLength: Infinity, compact: true }).slice(0, 400)
}
