import { runDemo } from './run-demo.ts'
import { runToExit } from './run-to-exit.ts'

/** The demo application, from source. Arguments go to it. */
await runToExit(() => runDemo([], process.argv.slice(2)))
