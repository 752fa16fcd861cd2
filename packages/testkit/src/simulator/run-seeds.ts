import type { Simulated } from './simulate.ts'
import { SimulationFailure, simulate } from './simulate.ts'

export interface SeedsRun {
  readonly runs: readonly Simulated[]
  readonly failures: readonly SimulationFailure[]
}

/** Runs the seeds from `from`, so many of them, one after the other. */
export async function runSeeds(
  from: number,
  count: number,
  onDone: (run: SeedsRun) => void = () => {},
): Promise<SeedsRun> {
  const runs: Simulated[] = []
  const failures: SimulationFailure[] = []
  for (let seed = from; seed < from + count; seed++) {
    try {
      runs.push(await simulate(seed))
    } catch (error) {
      if (!(error instanceof SimulationFailure)) throw error
      failures.push(error)
    }
    onDone({ runs, failures })
  }
  return { runs, failures }
}
