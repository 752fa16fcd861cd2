import type { OpenScratch } from '../suite/scratch.ts'
import { Pair } from './pair.ts'
import { Random } from './random.ts'
import { faulty, straight } from './senders.ts'
import { counted, historyOf, lookAt, plays } from './steps.ts'
import { World } from './world.ts'

export interface SeedOptions {
  /** The seeds to run; those of one list share a namespace, one after the other. */
  readonly seeds: readonly number[]
  /** Commands of a seed: jobs to create, transitions, claims, and whatever else is one call. */
  readonly commands: number
  readonly faults: boolean
}

/** Plays seeds on a storage and the memory engine in lockstep. Rejects at the first difference, and says how to see it again. */
export async function runSeeds(open: OpenScratch, options: SeedOptions): Promise<void> {
  const scratch = await open()
  try {
    await scratch.storage.start()
    const pair = new Pair(scratch)
    for (const seed of options.seeds) {
      await playSeed(pair, seed, options).catch((error: unknown) => {
        const before = options.seeds[0] === seed ? '' : `${options.seeds[0]}-`
        const message = error instanceof Error ? error.message : String(error)
        throw new Error(`seed ${seed} (again: Q_SEEDS=${before}${seed}): ${message}\n\nBefore it:\n${pair.trace}`, {
          cause: error,
        })
      })
    }
  } finally {
    await scratch.storage.close()
    await scratch.dispose()
  }
}

async function playSeed(pair: Pair, seed: number, options: SeedOptions): Promise<void> {
  const world = new World(seed, new Random(options.faults ? seed + 0.5 : seed))
  const sender = options.faults ? faulty : straight
  while (world.asked < options.commands) {
    const before = world.asked
    await world.random.weighted(plays)(pair, world, sender)
    if (world.asked === before) world.asked++
  }
  await lookAt(pair, world.jobs.slice(0, 200))
  await historyOf(pair, world.random.some(world.jobs, 10))
  await counted(pair)
  for (const session of world.living) {
    await pair.run({ says: () => `end ${session.id}`, run: ({ storage }) => storage.work.end(session.id) })
  }
}
