import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { fileOf, readEntries } from '../tools/write-api.ts'

test.for(readEntries().map((entry) => [entry.name, entry] as const))(
  'the reference of %s has what the package exports, and nothing else',
  ([, entry]) => {
    const page = readFileSync(resolve(import.meta.dirname, '../api', fileOf(entry)), 'utf8')
    const named = [...page.matchAll(/^### (\S+)$/gm)].map(([, name]) => name)
    // `npm run docs` writes it anew.
    expect(new Set(named)).toEqual(new Set(entry.exports.map(({ name }) => name)))
  },
)
