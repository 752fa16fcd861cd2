import { runCommand } from '../services/run-command.ts'
import { runToExit } from './run-to-exit.ts'
import { vitest } from './vitest.ts'

/** Servers that are killed, frozen and restarted under load. */
await runToExit(() => runCommand(vitest(['faults'], process.argv.slice(2))))
