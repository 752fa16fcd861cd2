import { checkout } from './checkout.ts'
import { runToExit } from './run-to-exit.ts'
import { run } from './run.ts'
import { vitest } from './vitest.ts'

/** How many lines of core its own tests run; the least is in vitest.config.ts. */
await runToExit(() => {
  process.chdir(checkout)
  return run(vitest(['core'], ['--coverage', '--reporter=minimal', ...process.argv.slice(2)]))
})
