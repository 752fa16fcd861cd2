import { join } from 'node:path'
import { checkout } from './checkout.ts'
import { run } from './run.ts'
import { runToExit } from './run-to-exit.ts'

/** Writes what is made by a program: the API reference, the figures of the bench, and with --pictures (and --minutes=2) the pictures. */
await runToExit(() => run([process.execPath, join(checkout, 'docs/tools/main.ts'), ...process.argv.slice(2)]))
