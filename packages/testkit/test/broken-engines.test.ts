import type { Rules } from '@q/core/memory'
import { memoryStorage } from '@q/core/memory'
import { describe, expect, test } from 'vitest'
import type { Case, ScratchStorage } from '../src/index.ts'
import { ManualClock, conformance, runCase } from '../src/index.ts'

/** Bugs that others had, planted into the memory engine, and the cases that have to notice each. */
const bugs: Readonly<Record<string, { readonly rules: Partial<Rules>; readonly noticedBy: readonly number[] }>> = {
  'a completion without its token': { rules: { holdsTheJob: () => true }, noticedBy: [39, 40, 41] },
  'a recovery without its predicate': { rules: { isLost: () => true }, noticedBy: [62, 70, 124] },
  'children released after the commit': { rules: { decidesEdgesAtOnce: false }, noticedBy: [71, 79] },
  'a key freed by somebody else': { rules: { mayFreeKey: () => true }, noticedBy: [129] },
  'a gate not freed by recovery': { rules: { freesGates: (end) => end !== 'recovery' }, noticedBy: [92] },
  'a waiter deleted in a gate': { rules: { endedWaiterWakesTheNext: false }, noticedBy: [90] },
  'a tick without a version': { rules: { mayTick: () => true }, noticedBy: [95, 96] },
  'a late call after its close': { rules: { isNewCall: () => true }, noticedBy: [58, 121, 122] },
  'a claim by a session that is being buried': { rules: { mayWork: () => true }, noticedBy: [33] },
  'a wish to cancel lost on a retry': { rules: { obeysWish: () => false }, noticedBy: [125] },
  'a parked job never adopted': { rules: { mayAdopt: () => false }, noticedBy: [13, 127] },
  'a follow-up of a refused completion': { rules: { storesFollowUps: () => true }, noticedBy: [59] },
}

describe('the suite notices', () => {
  for (const [name, { rules, noticedBy }] of Object.entries(bugs)) {
    for (const number of noticedBy) {
      test(`${name}, in case ${number}`, async () => {
        await expect(
          runCase(caseOf(number), () => engineWith({})),
          'the sound engine',
        ).resolves.toBeUndefined()
        await expect(runCase(caseOf(number), () => engineWith(rules))).rejects.toBeInstanceOf(Error)
      })
    }
  }
})

function engineWith(rules: Partial<Rules>): ScratchStorage {
  const clock = new ManualClock()
  const open = () => memoryStorage({ clock, rules })
  return { storage: open(), elsewhere: open, clock, dispose: async () => {} }
}

function caseOf(number: number): Case {
  const found = conformance.flatMap(({ cases }) => cases).find((one) => one.number === number)
  if (found === undefined) throw new Error(`there is no case ${number}`)
  return found
}
