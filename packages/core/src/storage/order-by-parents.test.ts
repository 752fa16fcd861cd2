import { expect, test } from 'vitest'
import type { NewJob } from './job.ts'
import { orderByParents } from './order-by-parents.ts'

function job(id: string, ...parents: string[]): NewJob {
  return {
    id,
    queue: 'q',
    name: 'n',
    version: 1,
    payload: '{}',
    state: { name: 'awaiting', phase: 'awaiting' },
    after: parents.map((parent) => ({ parent, on: ['succeeded'] })),
  }
}

const idsInOrder = (jobs: readonly NewJob[]) => orderByParents(jobs).places.map((place) => jobs[place]!.id)

test('parents of a list come before their children, everything else stays as given', () => {
  expect(idsInOrder([job('c', 'b'), job('x'), job('b', 'a'), job('a'), job('y')])).toEqual(['a', 'b', 'c', 'x', 'y'])
  expect(idsInOrder([job('b', 'elsewhere'), job('a')])).toEqual(['b', 'a'])
  expect(orderByParents([job('b', 'a'), job('a')]).circles.size).toBe(0)
})

test('jobs that wait for each other are named with their path, those that wait for them are not', () => {
  const { circles, places } = orderByParents([
    job('a', 'c'),
    job('b', 'a'),
    job('c', 'b'),
    job('d', 'a'),
    job('e', 'e'),
  ])
  expect(new Set(circles.keys())).toEqual(new Set([0, 1, 2, 4]))
  expect(circles.get(1)!.reason).toBe('these jobs wait for each other: a → c → b → a')
  expect(circles.get(1)!.ids.toSorted()).toEqual(['a', 'b', 'c'])
  expect(circles.get(4)!.ids).toEqual(['e'])
  expect(new Set(places)).toEqual(new Set([0, 1, 2, 3, 4]))
})

test('a chain as long as a list may be is no reason to run out of stack', () => {
  const chain = Array.from({ length: 20_000 }, (_, n) => (n === 0 ? job('0') : job(`${n}`, `${n - 1}`))).toReversed()
  expect(idsInOrder(chain)[0]).toBe('0')
})
