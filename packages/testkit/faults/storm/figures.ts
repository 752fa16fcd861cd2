import type { Violation } from '../evidence/check.ts'
import type { Witnessed } from '../evidence/entry.ts'
import { openRuns } from '../evidence/open-runs.ts'
import type { Evidence, Hit } from '../evidence/evidence.ts'

/** What a storm did and what came of it, counted from ledgers and storage. */
export interface Figures {
  readonly seconds: number
  readonly kills: number
  /** Processes killed while a call that writes was on its way. */
  readonly killsInACommit: number
  readonly restarts: number
  /** Answers that were given and never arrived: thrown away by method, or bytes taken off the line. */
  readonly swallowed: Readonly<Record<string, number>>
  readonly lostReplies: number
  readonly cuts: number
  readonly blackHoles: number
  readonly slowLines: number
  readonly blocks: number
  /** Processes that came back after others had taken their jobs, and what they had been running then. */
  readonly zombies: number
  readonly zombieRuns: number
  readonly zombieRunsRefused: number
  readonly accepted: number
  readonly jobs: number
  readonly starts: number
  readonly completions: number
  readonly lost: number
  readonly doubled: number
  /** Lost or repeated in the last moments before a crash, where the server promises no more. */
  readonly excused: number
  readonly violations: number
}

export function count(evidence: Evidence, violations: readonly Violation[], seconds: number): Figures {
  const { entries, hits, jobs } = evidence
  const entriesOf = (k: Witnessed['k']): number => entries.filter((entry) => entry.k === k).length
  const hitsOf = (kind: string): Hit[] => hits.filter((hit) => hit.kind === kind)
  const swallowed: Record<string, number> = {}
  for (const entry of entries) {
    if (entry.k === 'swallowed') swallowed[entry.method] = (swallowed[entry.method] ?? 0) + 1
  }
  const zombies = hitsOf('freeze').map((freeze) => runsTakenFrom(evidence, freeze))
  const histories = [...jobs.values()].map(({ history }) => history)
  const accepted = new Set(entries.flatMap((entry) => (entry.k === 'accepted' ? [entry.id] : [])))
  return {
    seconds: Math.round(seconds),
    kills: hitsOf('kill').length,
    killsInACommit: hitsOf('kill').filter(({ who }) => diedInACall(entries, who)).length,
    restarts: hitsOf('restart').length,
    swallowed,
    lostReplies: hitsOf('lost reply').length,
    cuts: hitsOf('cut').length,
    blackHoles: hitsOf('black hole').length,
    slowLines: hitsOf('slow line').length,
    blocks: hitsOf('block').length,
    zombies: zombies.filter((runs) => runs.length > 0).length,
    zombieRuns: zombies.flat().length,
    zombieRunsRefused: zombies.flat().filter(({ refused }) => refused).length,
    accepted: accepted.size,
    jobs: jobs.size,
    starts: entriesOf('start'),
    completions: histories.flat().filter(({ phase }) => phase === 'succeeded').length,
    lost: violations.filter(({ what }) => what === 'lost').length,
    doubled: violations.filter(({ what }) => what === 'doubled completion').length,
    excused: [...accepted].filter((id) => !jobs.has(id) && evidence.isExcused?.(id) === true).length,
    violations: violations.length,
  }
}

/** What a frozen process was running, and was taken from it meanwhile. Refused: nothing it still did was counted. */
function runsTakenFrom({ entries, jobs }: Evidence, { who, from }: Hit): { readonly refused: boolean }[] {
  const open = openRuns(entries.filter((entry) => entry.who === who && entry.at <= from))
  return open.flatMap((start) => {
    const history = jobs.get(start.id)?.history ?? []
    const wasTaken = history.some(({ phase, attempt }) => phase === 'active' && attempt > start.attempt)
    if (!wasTaken) return []
    const named = history.some(
      ({ phase, by, attempt }) => phase === 'succeeded' && by === who && attempt === start.attempt,
    )
    return [{ refused: !named }]
  })
}

function diedInACall(entries: readonly Witnessed[], who: string): boolean {
  const open = { create: 0, exchange: 0 } as Record<string, number>
  for (const entry of entries) {
    if (entry.who !== who) continue
    if (entry.k === 'call') open[entry.method] = (open[entry.method] ?? 0) + 1
    if (entry.k === 'back' && entry.method in open) open[entry.method] = open[entry.method]! - 1
  }
  return Object.values(open).some((calls) => calls > 0)
}
