import { expect, test } from 'vitest'
import { cases, conformance, differentialTitles } from '../src/index.ts'

test('every promise of the contract has exactly one test, and its title says which', () => {
  const titles = [...conformance.flatMap((chapter) => chapter.cases.map(({ title }) => title)), ...differentialTitles]
  const promised = Object.entries(cases).map(([number, sentence]) => `${number} ${sentence}`)
  expect(titles.toSorted()).toEqual(promised.toSorted())
  expect(Object.keys(cases).map(Number)).toEqual(Array.from({ length: 140 }, (_, index) => index + 1))
})
