import { describe, expect, test } from 'vitest'
import type { StateRecord } from '@q/core/storage'
import { check } from './check.ts'
import type { Violation } from './check.ts'
import type { Witnessed } from './entry.ts'
import type { Evidence, Hit, StoredJob } from './evidence.ts'

const [first, second] = ['01JOB000000000000000000001', '01JOB000000000000000000002'] as const

/** One job that ran once, as everyone saw it. */
const flawless: Evidence = {
  leaseMs: 1000,
  hits: [],
  entries: [
    { k: 'intent', who: 'p', at: 10, id: first, job: 'fault.plain' },
    { k: 'accepted', who: 'p', at: 12, id: first },
    { k: 'start', who: 'w1', at: 20, id: first, attempt: 1 },
    { k: 'effect', who: 'w1', at: 25, id: first, attempt: 1 },
    { k: 'end', who: 'w1', at: 30, id: first, attempt: 1 },
    { k: 'done', who: 'w1', at: 32, id: first, token: 's1.1', to: 'succeeded' },
  ],
  jobs: new Map([[first, stored(first, 'fault.plain', [ready(1), active(2, 'w1', 1), succeeded(3, 'w1', 1)])]]),
}

/** The same job, whose first run was lost with its process. */
const secondRun: Witnessed[] = [
  { k: 'start', who: 'w2', at: 1500, id: first, attempt: 2 },
  { k: 'end', who: 'w2', at: 1510, id: first, attempt: 2 },
  { k: 'done', who: 'w2', at: 1512, id: first, token: 's2.1', to: 'succeeded' },
]
const killed: Hit = { who: 'w1', kind: 'kill', from: 24, to: 24, voids: true }
const recovered: Evidence = {
  ...flawless,
  hits: [killed],
  entries: [...flawless.entries.slice(0, 3), ...secondRun],
  jobs: new Map([
    [
      first,
      stored(first, 'fault.plain', [
        ready(1),
        active(2, 'w1', 1),
        ready(3, 'its server was lost'),
        active(4, 'w2', 2),
        succeeded(5, 'w2', 2),
      ]),
    ],
  ]),
}

describe('the checker', () => {
  test('finds nothing in a flawless history', () => {
    expect(check(flawless)).toEqual([])
  })

  test('finds nothing when a job runs again because its process was killed', () => {
    expect(check(recovered)).toEqual([])
  })

  test('finds an accepted job that is not stored', () => {
    expect(found({ ...flawless, jobs: new Map() })).toEqual(['lost'])
  })

  test('excuses only the jobs it is told to', () => {
    const lost = { ...flawless, jobs: new Map<string, StoredJob>() }
    expect(found({ ...lost, isExcused: (id) => id === first })).toEqual([])
    expect(found({ ...lost, isExcused: (id) => id === second })).toEqual(['lost'])
  })

  test('lets a job be missing whose producer never heard of it', () => {
    expect(found({ ...flawless, entries: flawless.entries.slice(0, 1), jobs: new Map() })).toEqual([])
  })

  test('finds a job that is stored although its producer was told that it is not', () => {
    const refused: Witnessed = { k: 'refused', who: 'p', at: 12, id: first, code: 'Q_STORAGE_UNAVAILABLE' }
    expect(found({ ...flawless, entries: flawless.entries.with(1, refused) })).toEqual(['stored although refused'])
  })

  test('finds a job that nobody meant to make', () => {
    expect(found({ ...flawless, entries: flawless.entries.slice(2) })).toEqual(['unknown'])
    const renamed = new Map([[first, { ...flawless.jobs.get(first)!, name: 'fault.unheard' }]])
    expect(found({ ...flawless, jobs: renamed })).toEqual(['unknown'])
  })

  test('finds a job that never ended', () => {
    expect(found(withHistory(flawless, [ready(1), active(2, 'w1', 1)]))).toEqual(['unfinished'])
    expect(found(withHistory(flawless, []))).toEqual(['unfinished'])
  })

  test('finds a job that ended otherwise than it had to', () => {
    const failed = record(3, 'failed', { by: 'w1', attempt: 1 })
    expect(found(withHistory(flawless, [ready(1), active(2, 'w1', 1), failed]))).toEqual(['ended otherwise'])
    const deleted = record(3, 'deleted', { by: 'p' })
    expect(found(withHistory(flawless, [ready(1), active(2, 'w1', 1), deleted]))).toEqual(['ended otherwise'])
  })

  test('lets a job be deleted by a command, and its child with it', () => {
    const deleted = record(3, 'deleted', { by: 'p' })
    const commanded = withEntries(withHistory(flawless, [ready(1), active(2, 'w1', 1), deleted]), [
      { k: 'command', who: 'p', at: 28, id: first, verb: 'delete' },
      { k: 'intent', who: 'p', at: 13, id: second, job: 'fault.child', parent: first },
    ])
    const child = stored(second, 'fault.child', [record(1, 'awaiting'), record(2, 'deleted')])
    expect(found({ ...commanded, jobs: new Map([...commanded.jobs, [second, child]]) })).toEqual([])
  })

  test('finds two completions that two workers were both told to count', () => {
    expect(
      found(withEntries(recovered, [{ k: 'done', who: 'w1', at: 1600, id: first, token: 's1.1', to: 'succeeded' }])),
    ).toEqual(['doubled completion'])
  })

  test('finds two completions in the history', () => {
    const twice = [ready(1), active(2, 'w1', 1), succeeded(3, 'w1', 1), succeeded(4, 'w1', 1)]
    expect(found(withHistory(flawless, twice))).toEqual(['left a final state', 'doubled completion'])
  })

  test('finds a completion by a run that never ended', () => {
    const entries = flawless.entries.filter(({ k }) => k !== 'end')
    expect(found({ ...flawless, entries })).toEqual(['completed by nobody'])
    const others = [ready(1), active(2, 'w2', 1), succeeded(3, 'w2', 1)]
    expect(found(withHistory(flawless, others))).toEqual(['completed by nobody'])
  })

  test('finds a second start without a cause', () => {
    expect(found({ ...recovered, hits: [] })).toEqual(['started too often'])
    expect(found({ ...recovered, hits: [{ ...killed, who: 'w3' }] })).toEqual(['started too often'])
    expect(found({ ...recovered, hits: [{ ...killed, from: 1600, to: 1600 }] })).toEqual(['started too often'])
  })

  test('looks for the cause at the process whose claim was lost, also when that starts it later', () => {
    const late: Witnessed = { k: 'start', who: 'w1', at: 1505, id: first, attempt: 1 }
    const entries = recovered.entries.map((entry) => (entry.k === 'start' && entry.who === 'w1' ? late : entry))
    const frozen: Hit = { who: 'w1', kind: 'freeze', from: 15, to: 1503, voids: true }
    expect(found({ ...recovered, entries, hits: [frozen] })).toEqual([])
    expect(found({ ...recovered, entries, hits: [{ ...frozen, who: 'w2' }] })).toEqual(['started too often'])
  })

  test('takes a fault of the line as a cause only when the lease was seen to go', () => {
    const cut = { ...recovered, hits: [{ ...killed, kind: 'cut', voids: false }] }
    expect(found(cut)).toEqual(['started too often'])
    expect(found(withEntries(cut, [{ k: 'lease lost', who: 'w1', at: 900, reason: 'silent' }]))).toEqual([])
    expect(found(withEntries(cut, [{ k: 'lease lost', who: 'w3', at: 900, reason: 'silent' }]))).toEqual([
      'started too often',
    ])
  })

  test('takes a process that stood still, or whose storage did, as hit', () => {
    const bare = { ...recovered, hits: [] }
    expect(found(withEntries(bare, [{ k: 'stalled', who: 'w1', at: 900, ms: 800 }]))).toEqual([])
    expect(found(withEntries(bare, [{ k: 'stalled', who: 'w1', at: 900, ms: 100 }]))).toEqual(['started too often'])
    expect(found(withEntries(bare, [{ k: 'back', who: 'w1', at: 900, method: 'exchange', ms: 800 }]))).toEqual([])
    expect(found(withEntries(bare, [{ k: 'back', who: 'w1', at: 900, method: 'exchange', ms: 20 }]))).toEqual([
      'started too often',
    ])
  })

  test('takes a run that threw as a cause for the next', () => {
    const threw = withEntries({ ...recovered, hits: [] }, [{ k: 'threw', who: 'w1', at: 24, id: first, attempt: 1 }])
    expect(found(threw)).toEqual([])
  })

  test('finds a child that started before its parent ended', () => {
    const early = withEntries(flawless, [
      { k: 'intent', who: 'p', at: 13, id: second, job: 'fault.child', parent: first },
      { k: 'start', who: 'w2', at: 29, id: second, attempt: 1 },
      { k: 'end', who: 'w2', at: 31, id: second, attempt: 1 },
    ])
    const child = stored(second, 'fault.child', [record(1, 'awaiting'), active(2, 'w2', 1), succeeded(3, 'w2', 1)])
    expect(found({ ...early, jobs: new Map([...early.jobs, [second, child]]) })).toEqual([
      'started before its parent ended',
    ])
  })

  test('finds a child that is missing, doubled, or without a parent', () => {
    const family = { ...flawless, jobs: new Map([[first, { ...flawless.jobs.get(first)!, name: 'fault.family' }]]) }
    const child = (id: string, parent: string): [string, StoredJob] => [
      id,
      {
        ...stored(id, 'fault.follower', [ready(1), active(2, 'w1', 1), succeeded(3, 'w1', 1)]),
        input: { parent },
      },
    ]
    const ends = (id: string): Witnessed => ({ k: 'end', who: 'w1', at: 50, id, attempt: 1 })
    const withChildren = (...children: [string, StoredJob][]): string[] =>
      found(
        withEntries(
          { ...family, jobs: new Map([...family.jobs, ...children]) },
          children.map(([id]) => ends(id)),
        ),
      )
    expect(withChildren(child(second, first))).toEqual([])
    expect(withChildren()).toEqual(['missing child'])
    expect(withChildren(child(second, first), child(`${second}b`, first))).toEqual(['doubled child'])
    expect(withChildren(child(second, first), child(`${second}b`, 'nobody'))).toEqual(['unknown'])
  })

  test('finds a tick that is doubled or missing', () => {
    const ticks = (...instants: number[]): string[] =>
      found({
        ...flawless,
        entries: instants.map((_, n) => ({ k: 'end', who: 'w1', at: 50, id: `tick${n}`, attempt: 1 })),
        jobs: new Map(
          instants.map((at, n) => [
            `tick${n}`,
            {
              ...stored(`tick${n}`, 'fault.tick', [ready(1), active(2, 'w1', 1), succeeded(3, 'w1', 1)]),
              recurring: { id: 'every second', at },
            },
          ]),
        ),
      })
    expect(ticks(1000, 2000, 3000)).toEqual([])
    expect(ticks(1000, 2000, 2000)).toEqual(['doubled tick'])
    expect(ticks(1000, 2000, 4000)).toEqual(['missing tick'])
  })

  test('finds a step out of a final state that no command asked for', () => {
    const again = [
      ready(1),
      active(2, 'w1', 1),
      succeeded(3, 'w1', 1),
      ready(4),
      active(5, 'w1', 1),
      succeeded(6, 'w1', 1),
    ]
    expect(found(withHistory(flawless, again))).toEqual(['left a final state', 'doubled completion'])
    const requeued = again.with(3, record(4, 'ready', { by: 'p' }))
    expect(
      found(
        withEntries(withHistory(flawless, requeued), [{ k: 'command', who: 'p', at: 35, id: first, verb: 'requeue' }]),
      ),
    ).toEqual([])
  })

  test('lets a failed run pass through the failed state to its next try', () => {
    const retried = [
      ready(1),
      active(2, 'w1', 1),
      record(3, 'failed', { by: 'w1', attempt: 1 }),
      { ...record(4, 'scheduled', { by: 'w1', attempt: 1 }), at: 3 },
      ready(5),
      active(6, 'w1', 1),
      succeeded(7, 'w1', 1),
    ]
    expect(found(withHistory(flawless, retried))).toEqual([])
  })

  test('finds a history with a gap or against time', () => {
    expect(found(withHistory(flawless, [ready(1), active(3, 'w1', 1), succeeded(4, 'w1', 1)]))).toEqual([
      'torn history',
    ])
    const back = [ready(1), { ...active(2, 'w1', 1), at: 0 }, succeeded(3, 'w1', 1)]
    expect(found(withHistory(flawless, back))).toEqual(['torn history'])
  })

  test('finds an error that nobody handled', () => {
    expect(found(withEntries(flawless, [{ k: 'unhandled', who: 'w1', at: 40, error: 'Error: oh' }]))).toEqual([
      'unhandled',
    ])
  })
})

function found(evidence: Evidence): Violation['what'][] {
  return check(evidence).map(({ what }) => what)
}

function withEntries(evidence: Evidence, entries: readonly Witnessed[]): Evidence {
  return { ...evidence, entries: [...evidence.entries, ...entries] }
}

function withHistory(evidence: Evidence, history: readonly StateRecord[]): Evidence {
  return { ...evidence, jobs: new Map([[first, { ...evidence.jobs.get(first)!, history }]]) }
}

function stored(id: string, name: string, history: readonly StateRecord[]): StoredJob {
  return { id, name, history, input: null }
}

function record(n: number, phase: StateRecord['phase'], rest: Partial<StateRecord> = {}): StateRecord {
  return { n, at: n, phase, name: phase, by: '', attempt: 0, ...rest }
}

function ready(n: number, reason?: string): StateRecord {
  return record(n, 'ready', { reason })
}

function active(n: number, by: string, attempt: number): StateRecord {
  return record(n, 'active', { by, attempt })
}

function succeeded(n: number, by: string, attempt: number): StateRecord {
  return record(n, 'succeeded', { by, attempt })
}
