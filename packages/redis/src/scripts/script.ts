import { createHash } from 'node:crypto'
import { withKeys } from '../keys.ts'
import type { Packable } from '../msgpack.ts'

/**
 * One operation as the server runs it: one declared key (the namespace's root, from which all others derive, in the same
 * slot) and one argument, packed. Called by its SHA, sent in full when the server does not know it.
 */
export interface Script<Args extends Packable> {
  readonly name: string
  /** With the flag that lets it run while the server is out of memory; only Redis 7 and later read that. */
  readonly flagged: Source
  readonly plain: Source
  /** A type only: what the operation is called with. */
  readonly args?: Args
}

export interface Source {
  readonly lua: string
  readonly sha: string
}

export interface ScriptOptions {
  /** Ends, and what makes room, goes on when the server is out of memory; creating does not. */
  readonly runsWhenFull?: boolean
}

export function script<Args extends Packable>(
  name: string,
  parts: readonly string[],
  options: ScriptOptions = {},
): Script<Args> {
  const lua = withKeys(parts.map((part) => part.trim()).join('\n'))
  if (!options.runsWhenFull) return { name, plain: sourceOf(lua), flagged: sourceOf(lua) }
  return { name, plain: sourceOf(withKeys(writesFirst) + lua), flagged: sourceOf(`#!lua flags=allow-oom\n${lua}`) }
}

/** A full server refuses a script at its first write if that asks for memory. Servers before Redis 7 go on after one that does not. */
const writesFirst = `redis.call('DEL', KEYS[1] .. 'full')\n`

function sourceOf(lua: string): Source {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}
