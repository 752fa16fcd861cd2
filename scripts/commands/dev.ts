import { runDemo } from './run-demo.ts'
import { runToExit } from './run-to-exit.ts'

/** The demo application with its dashboard, started anew after every change of a source file. */
await runToExit(() => runDemo(['--watch'], process.argv.slice(2)))
