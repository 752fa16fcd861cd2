import { join } from 'node:path'
import { runCommand } from '../services/run-command.ts'
import { checkout } from './checkout.ts'
import { runToExit } from './run-to-exit.ts'

/** Measures this project beside its peers, on private servers. Arguments go to the bench. */
await runToExit(() =>
  runCommand([
    '--only=redis,postgres',
    process.execPath,
    '--conditions=@q/source',
    join(checkout, 'bench/src/main.ts'),
    ...process.argv.slice(2),
  ]),
)
