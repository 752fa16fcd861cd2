import { join } from 'node:path'
import { checkout } from './checkout.ts'

/** The command line that runs tests, of the named parts or of all. */
export function vitest(parts: readonly string[], args: readonly string[], node: string = process.execPath): string[] {
  const projects = parts.map((part) => `--project=${part}`)
  return [node, join(checkout, 'node_modules/vitest/vitest.mjs'), 'run', '--root', checkout, ...projects, ...args]
}
