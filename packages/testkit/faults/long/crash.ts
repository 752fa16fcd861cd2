import { parseArgs } from 'node:util'
import { killWorker } from '../single/kill-worker.ts'
import type { Figures } from '../storm/figures.ts'
import { longFileQuota, longServerQuota } from '../storm/quota.ts'
import { storm } from '../storm/storm.ts'
import { keepRun, readKept } from './figures-file.ts'
import type { LongRun } from './figures-file.ts'
import { soak } from './soak.ts'
import { stages } from './stages.ts'

/**
 * The long version of the storm: rounds of it, each on a server of its own; the sum is kept after every one for the page
 * about guarantees, so that `--resume` can go on where a run was ended. `--soak` lets a fleet work in peace instead, and
 * looks at its memory.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    rounds: { type: 'string' },
    storage: { type: 'string', multiple: true },
    seed: { type: 'string' },
    resume: { type: 'boolean', default: false },
    soak: { type: 'boolean', default: false },
  },
})
const minutes = Number(values.minutes ?? (values.rounds === undefined ? 10 : Infinity))
const rounds = Number(values.rounds ?? Infinity)
const chosen = values.storage ?? Object.keys(stages)
const unknown = chosen.find((name) => !Object.hasOwn(stages, name))
const problem =
  unknown !== undefined
    ? `There is no storage "${unknown}"`
    : !(minutes > 0)
      ? `--minutes ${values.minutes} is no time`
      : !(rounds >= 1)
        ? `--rounds ${values.rounds} is no number of rounds`
        : null
if (problem !== null) {
  const what = `--storage ${Object.keys(stages).join('|')} [--minutes 10 | --rounds 34] [--seed 7] [--resume] [--soak]`
  process.stderr.write(`${problem}. Usage: npm run crash -- ${what}\n`)
  process.exit(1)
}
/** More processes than a test has, so that more faults can be under way at once. */
const fleet = { workers: 5, producers: 4, atOnce: 10, gapMs: 90 }
for (const name of chosen) {
  const well = values.soak
    ? await soak(stages[name]!, minutes, `npm run crash -- --soak --minutes ${minutes} --storage ${name}`)
    : await crash(name)
  if (!well) process.exitCode = 1
}

async function crash(name: string): Promise<boolean> {
  const open = stages[name]!
  const until = performance.now() + minutes * 60_000
  let total: LongRun | undefined
  let done = 0
  do {
    const stage = await open()
    const { label } = stage
    total ??= values.resume ? readKept().crash[label] : undefined
    const firstSeed: number = total?.firstSeed ?? Number(values.seed ?? Math.floor(Math.random() * 1e6))
    const seed = firstSeed + (total?.rounds ?? 0)
    const quota = stage.restart === undefined ? longFileQuota : longServerQuota
    const { figures, violations, recoveredMs } = await storm({
      stage,
      seed,
      quota,
      ...fleet,
      atMostMs: 300_000,
    }).finally(() => stage[Symbol.asyncDispose]())
    process.stdout.write(`${label}, round ${(total?.rounds ?? 0) + 1}, seed ${seed}: ${JSON.stringify(figures)}\n`)
    for (const violation of violations) process.stdout.write(`  ${JSON.stringify(violation)}\n`)
    const soFar = (total?.rounds ?? 0) + 1
    total = {
      ...(total === undefined ? figures : sum(total, figures)),
      storage: label,
      command: `npm run crash -- --rounds ${soFar} --storage ${name} --seed ${firstSeed}`,
      rounds: soFar,
      firstSeed,
      slowestRecoveryMs: Math.max(total?.slowestRecoveryMs ?? 0, Math.round(recoveredMs)),
      killedWorkerMs: total?.killedWorkerMs ?? 0,
    }
    keepRun(total)
  } while (++done < rounds && performance.now() < until)
  const stage = await open()
  const waits = await killWorker(stage, 30_000).finally(() => stage[Symbol.asyncDispose]())
  const killedWorkerMs = Math.round(Math.max(total.killedWorkerMs, ...waits))
  keepRun({ ...total, killedWorkerMs })
  return total.violations === 0 && total.zombieRunsRefused === total.zombieRuns && killedWorkerMs <= 35_000
}

function sum(a: Figures, b: Figures): Figures {
  const swallowed = { ...a.swallowed }
  for (const [method, n] of Object.entries(b.swallowed)) swallowed[method] = (swallowed[method] ?? 0) + n
  const numbers = Object.entries(b).flatMap(([key, value]) =>
    typeof value === 'number' ? [[key, (a[key as keyof Figures] as number) + value] as const] : [],
  )
  // Every figure but `swallowed` is a number, and all of them are in the list.
  return { ...(Object.fromEntries(numbers) as unknown as Figures), swallowed }
}
