import { expect, it } from 'vitest'
import { excerpt } from './excerpt.ts'

it('keeps a short text as it is, and the beginning of a long one', () => {
  expect(excerpt('0 3 * * *')).toBe('0 3 * * *')
  expect(excerpt('a'.repeat(100_000))).toBe(`${'a'.repeat(60)}…`)
  expect(excerpt(5)).toBe('5')
})

it('shows no control, direction or line characters, and no half of a pair', () => {
  expect(excerpt('\u001B[31m \u202E \u2028 \n \uD83D')).toBe('\uFFFD[31m \uFFFD \uFFFD \uFFFD \uFFFD')
})
