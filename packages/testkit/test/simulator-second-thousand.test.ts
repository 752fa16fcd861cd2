import { expect, test } from 'vitest'
import { runSeeds } from '../src/simulator/run-seeds.ts'

test('a fleet in trouble keeps every promise, over the second thousand seeds', { timeout: 900_000 }, async () => {
  const { runs, failures } = await runSeeds(1001, 1000)
  expect(failures.map(({ message }) => message)).toEqual([])
  expect(runs).toHaveLength(1000)
})
