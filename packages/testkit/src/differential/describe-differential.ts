import type { OpenScratch } from '../suite/scratch.ts'
import { runSeeds } from './run-seeds.ts'

/** Asked for only where it is installed, as for the suite. */
const vitest = await import('vitest').catch(() => null)

export interface DifferentialOptions {
  /** How many seeds, half of them under faults. Default 500, or those that Q_SEEDS names: `1000`, or `17-23`. */
  readonly seeds?: number | undefined
  /** Commands of a seed: jobs to create, transitions, claims, and whatever else is one call. Default 120. */
  readonly commands?: number | undefined
  /** Namespaces that are worked on at the same time. Default 4. */
  readonly lanes?: number | undefined
}

export const differentialTitles: readonly [string, string] = [
  '119 random commands have the same results as on the memory engine',
  '120 under random faults the results are among those the memory engine allows',
]

const perNamespace = 25

/**
 * Random commands, on a storage and on the memory engine in lockstep: every answer has to be the same.
 *
 * @example
 * describeDifferential('mydb', () => openScratchStorage())
 */
export function describeDifferential(name: string, open: OpenScratch, options: DifferentialOptions = {}): void {
  if (vitest === null) throw new Error('describeDifferential() registers with vitest, which is not installed here.')
  const { describe, test } = vitest
  const { commands = 120, lanes = 4 } = options
  const seeds = chosenSeeds(options.seeds)
  const half = Math.ceil(seeds.length / 2)
  const named = process.env['Q_SEEDS']?.includes('-') || seeds.length === 1
  describe(`${name} does what the memory engine does`, () => {
    for (const [index, title] of differentialTitles.entries()) {
      const own = named ? seeds : index === 0 ? seeds.slice(0, half) : seeds.slice(half)
      const run = (part: readonly number[]) => runSeeds(open, { seeds: part, commands, faults: index === 1 })
      test(title, { timeout: 60_000 + own.length * 2_000 }, () => inLanes(lanes, parts(own), run))
    }
  })
}

function chosenSeeds(count = 500): number[] {
  const [from, to] = (process.env['Q_SEEDS'] ?? `1-${count}`).split('-').map(Number)
  const [first, last] = to === undefined ? [1, from!] : [from!, to]
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

function parts(seeds: readonly number[]): number[][] {
  const list: number[][] = []
  for (let from = 0; from < seeds.length; from += perNamespace) list.push(seeds.slice(from, from + perNamespace))
  return list
}

async function inLanes<T>(lanes: number, list: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...list]
  const lane = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await run(item)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}
