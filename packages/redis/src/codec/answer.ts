import type { Unpacked } from '../msgpack.ts'

/** An empty Lua table is packed as a list, whatever it was. */
export function mapOf(value: Unpacked | undefined): Map<string, Unpacked> {
  return value instanceof Map ? value : new Map()
}

export function textOf(value: Unpacked | undefined): string {
  return value instanceof Buffer ? value.toString() : String(value)
}

export function numberOf(value: Unpacked | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined
}

export function textsOf(value: Unpacked | undefined): string[] {
  return Array.isArray(value) ? value.map(textOf) : []
}

export function listOf(value: Unpacked | undefined): Unpacked[] {
  return Array.isArray(value) ? value : []
}
