import { runToExit } from './run-to-exit.ts'
import { run } from './run.ts'

/** Turns the changesets into one next version for all packages and their changelogs. */
await runToExit(() => run(['changeset', 'version']))
