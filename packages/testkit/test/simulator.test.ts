import { describe, expect, test } from 'vitest'
import { plantedBugs } from '../src/simulator/planted-bugs.ts'
import { messageFaults } from '../src/simulator/network.ts'
import { SimulationFailure, fleetFaults, simulate } from '../src/simulator/simulate.ts'

test('the same seed makes the same run, event by event, and another seed another', async () => {
  const first = await simulate(7, { trace: true })
  const again = await simulate(7, { trace: true })
  expect(again.trace).toEqual(first.trace)
  expect(again.hash).toBe(first.hash)
  expect((await simulate(8)).hash).not.toBe(first.hash)
})

test('a run is a fleet of three clients and three servers, 200 commands, and every kind of fault', async () => {
  const { commands, faults, trace } = await simulate(9, { trace: true })
  expect(commands).toBeGreaterThanOrEqual(200)
  expect([...faults.keys()].toSorted()).toEqual([...fleetFaults, ...messageFaults].toSorted())
  const processes = new Set(trace.map((line) => line.split(' ')[1]!.split('.')[0]))
  for (const name of ['client-0', 'client-1', 'client-2', 'server-0', 'server-1', 'server-2'])
    expect(processes).toContain(name)
})

describe('a broken storage is noticed within 500 seeds:', () => {
  test.each(Object.keys(plantedBugs))('%s', { timeout: 120_000 }, async (name) => {
    const failure = await firstFailure(name)
    expect(failure.message).toContain(`npm run simulate -- --seed ${failure.seed}`)
  })

  async function firstFailure(name: string): Promise<SimulationFailure> {
    for (let seed = 1; seed <= 500; seed++) {
      try {
        await simulate(seed, { rules: plantedBugs[name] })
      } catch (error) {
        if (error instanceof SimulationFailure) return error
        throw error
      }
    }
    throw new Error(`500 seeds did not notice ${name}`)
  }
})
