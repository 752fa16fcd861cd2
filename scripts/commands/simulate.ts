import { join } from 'node:path'
import { checkout } from './checkout.ts'
import { run } from './run.ts'
import { runToExit } from './run-to-exit.ts'

/** Runs fleets in virtual time: `--seeds 100000 --from 1`, or `--seed 17` to see one from its first event to its last. */
await runToExit(() =>
  run([
    process.execPath,
    '--conditions=@q/source',
    join(checkout, 'packages/testkit/simulate.ts'),
    ...process.argv.slice(2),
  ]),
)
