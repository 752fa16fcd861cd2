import { describe, expect, test } from 'vitest'
import type { JobQuery } from './monitor.ts'
import { type QueryFacts, matchesQuery } from './matches-query.ts'

const facts: QueryFacts = {
  id: '00000000000000000000000042',
  queue: 'mail',
  name: 'send.welcome',
  tags: ['vip', 'Berlin'],
  preview: '{"to":"Ann@example.com"}',
  state: { name: 'retrying', phase: 'scheduled', at: 1_000 },
  attempt: 2,
  createdAt: 500,
  waitedMs: 30,
  ranMs: 70,
  lastError: 'boom',
  recurring: { id: 'nightly', at: 400 },
  session: 'session-1',
  parents: ['00000000000000000000000041'],
}

const failed: QueryFacts = {
  ...facts,
  state: { name: 'failed', phase: 'failed', at: 1_000, error: { fingerprint: 'crash', preview: 'TypeError: No' } },
}

describe('whether a job is meant by a query', () => {
  test.each<[JobQuery, JobQuery]>([
    [{}, { phase: [] }],
    [{ phase: ['ready', 'scheduled'] }, { phase: ['ready'] }],
    [{ state: ['retrying'] }, { state: ['scheduled'] }],
    [{ queue: ['mail', 'print'] }, { queue: ['Mail'] }],
    [{ name: ['send.welcome'] }, { name: ['send'] }],
    [{ tag: ['gold', 'vip'] }, { tag: ['berlin'] }],
    [{ error: 'boom' }, { error: 'crash' }],
    [{ recurring: 'nightly' }, { recurring: 'weekly' }],
    [{ session: 'session-1' }, { session: 'session-2' }],
    [{ parent: '00000000000000000000000041' }, { parent: '00000000000000000000000042' }],
    [{ minAttempt: 2 }, { minAttempt: 3 }],
    [{ enteredAfter: 1_000 }, { enteredAfter: 1_001 }],
    [{ enteredBefore: 1_001 }, { enteredBefore: 1_000 }],
    [{ createdAfter: 500 }, { createdAfter: 501 }],
    [{ createdBefore: 501 }, { createdBefore: 500 }],
    [{ minRanMs: 70 }, { minRanMs: 71 }],
    [{ minWaitedMs: 30 }, { minWaitedMs: 31 }],
    [{ text: 'BERLIN' }, { text: 'paris' }],
    [{ text: 'ann@' }, { text: 'bob@' }],
    [{ text: 'welcome' }, { text: 'mail' }],
    [{ text: '0042' }, { text: '0043' }],
    [
      { queue: ['mail'], text: 'vip', minAttempt: 1 },
      { queue: ['mail'], text: 'vip', minAttempt: 9 },
    ],
  ])('%o yes, %o no', (yes, no) => {
    expect([matchesQuery(facts, yes), matchesQuery(facts, no)]).toEqual([true, false])
  })

  test('the error of the present state counts before an older one', () => {
    expect([matchesQuery(failed, { error: 'crash' }), matchesQuery(failed, { error: 'boom' })]).toEqual([true, false])
    expect(matchesQuery(failed, { text: 'typeerror' })).toBe(true)
  })

  test('a summary is enough, and lacks what it does not know', () => {
    const { lastError: _, recurring: __, session: ___, parents: ____, ranMs: _____, ...summary } = facts
    expect(matchesQuery(summary, { queue: ['mail'] })).toBe(true)
    for (const query of [{ error: 'boom' }, { recurring: 'nightly' }, { session: 'session-1' }, { minRanMs: 0 }]) {
      expect(matchesQuery(summary, query)).toBe(false)
    }
  })
})
