import { join } from 'node:path'
import { sweepLeftovers } from '../services/scratch-folder.ts'
import { checkout } from './checkout.ts'
import { run } from './run.ts'
import { runToExit } from './run-to-exit.ts'

/** Kills, freezes and cuts off a fleet for minutes, on servers of its own, and writes down what came of it. */
await runToExit(async () => {
  const program = join(checkout, 'packages/testkit/faults/long/crash.ts')
  try {
    return await run([process.execPath, '--conditions=@q/source', program, ...process.argv.slice(2)])
  } finally {
    await sweepLeftovers()
  }
})
