import { join } from 'node:path'
import { runCommand } from '../services/run-command.ts'
import { checkout } from './checkout.ts'
import { run } from './run.ts'
import { runToExit } from './run-to-exit.ts'

/** Measures this project, built as its users install it, beside its peers, on private servers. Arguments go to the bench. */
await runToExit(async () => {
  const exit = await run(['turbo', 'run', 'build', '--output-logs=errors-only'])
  if (exit !== 0) return exit
  const main = join(checkout, 'bench/src/main.ts')
  return runCommand(['--only=redis,postgres', process.execPath, main, ...process.argv.slice(2)])
})
