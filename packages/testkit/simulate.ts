import { parseArgs } from 'node:util'
import { runSeeds } from './src/simulator/run-seeds.ts'
import { SimulationFailure, simulate } from './src/simulator/simulate.ts'

const usage = `npm run simulate -- --seeds 100000 --from 1   runs that many seeds
npm run simulate -- --seed 17                 runs one, and prints all that happens in it`

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) console.log(usage)
else if (values.seed !== undefined) await showOne(numberOf('seed', values.seed))
else await runMany(numberOf('from', values.from), numberOf('seeds', values.seeds))

function numberOf(name: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new TypeError(`--${name} is "${text}"; it must be a whole number from 1.\n${usage}`)
}

async function showOne(seed: number): Promise<void> {
  try {
    const { trace, jobs, events, hash } = await simulate(seed, { trace: true })
    console.log([...trace, `Seed ${seed} keeps every promise: ${jobs} jobs, ${events} events, ${hash}.`].join('\n'))
  } catch (error) {
    if (!(error instanceof SimulationFailure)) throw error
    console.log(error.trace.join('\n'))
    console.error(error.message, error.cause)
    process.exitCode = 1
  }
}

async function runMany(from: number, count: number): Promise<void> {
  const startedAt = performance.now()
  let known = 0
  const { failures } = await runSeeds(from, count, ({ runs, failures: soFar }) => {
    const done = runs.length + soFar.length
    for (const failure of soFar.slice(known)) console.error(failure.message)
    known = soFar.length
    if (done % 500 > 0 && done < count) return
    const each = Math.round((performance.now() - startedAt) / done)
    console.log(`${done} of ${count} seeds, ${known} of them failed, ${each} ms each`)
  })
  if (failures.length > 0) process.exitCode = 1
}
