import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand } from '../services/run-command.ts'
import { checkout } from './checkout.ts'
import { runToExit } from './run-to-exit.ts'
import { vitest } from './vitest.ts'

/** Everything, on real servers. Arguments go to vitest: `npm test -- --project=redis`. */
await runToExit(async () => {
  const args = process.argv.slice(2)
  const results = process.env['Q_TEST_RESULTS'] ?? join(checkout, '.cache/test-results.json')
  process.env['Q_TEST_RESULTS'] = results
  const code = await runCommand(vitest([], args))
  if (code !== 0 || args.length > 0) return code
  const { numPendingTests, numTodoTests } = JSON.parse(readFileSync(results, 'utf8')) as Record<string, number>
  if (numPendingTests === 0 && numTodoTests === 0) return 0
  process.stderr.write(
    `${numPendingTests} tests were skipped and ${numTodoTests} are still to do: a full run allows neither.\n`,
  )
  return 1
})
