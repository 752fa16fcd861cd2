import assert from 'node:assert/strict'
import { machineMs } from '../evidence/entry.ts'
import type { Stage } from '../stages/stage.ts'
import { Play, startsOf } from './play.ts'

/** Kills a worker that is at work; answers after how many milliseconds each of its jobs was started by another one. */
export async function killWorker(stage: Stage, leaseMs: number): Promise<number[]> {
  const play = await Play.open(stage, leaseMs)
  try {
    return await killOneOfTwo(play)
  } finally {
    await play[Symbol.asyncDispose]()
  }
}

async function killOneOfTwo(play: Play): Promise<number[]> {
  const [victim, heir] = await play.pair()
  const ids = await play.occupy(victim, 6, 2_000)
  const at = machineMs()
  await play.fleet.kill(victim)
  heir.tell({ do: 'begin' })
  await play.end(ids)
  const evidence = await play.reckon()
  const starts = ids.map((id) => startsOf(evidence, id))
  const who = starts.map((list) => list.map(({ who }) => who))
  assert.deepEqual(
    who,
    ids.map(() => [victim.name, heir.name]),
  )
  return starts.map((list) => list.at(-1)!.at - at)
}
