import { runToExit } from './run-to-exit.ts'
import { runCommand } from '../services/run-command.ts'

await runToExit(() => runCommand(process.argv.slice(2)))
