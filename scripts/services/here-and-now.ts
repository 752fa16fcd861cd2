import { resolve } from 'node:path'
import type { Surroundings } from './find-programs.ts'

/** This machine and this environment. */
export const hereAndNow: Surroundings = {
  env: process.env,
  cache: resolve(import.meta.dirname, '../../.cache/debian'),
  isRoot: process.getuid?.() === 0,
  announce: (message) => process.stderr.write(`${message}\n`),
}
