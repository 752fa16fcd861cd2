import { run } from './run.ts'
import { runToExit } from './run-to-exit.ts'
import { vitest } from './vitest.ts'

/** What needs no server: memory and SQLite. */
await runToExit(() => run(vitest(['core', 'testkit', 'sqlite'], process.argv.slice(2))))
