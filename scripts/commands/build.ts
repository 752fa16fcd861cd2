import { runToExit } from './run-to-exit.ts'
import { run } from './run.ts'

/** Builds all packages, those that changed. */
await runToExit(() => run(['turbo', 'run', 'build', ...process.argv.slice(2)]))
