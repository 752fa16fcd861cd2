import { runToExit } from './run-to-exit.ts'
import { run } from './run.ts'

/** Publishes what is not on the registry yet, after everything has been checked; pnpm packs, as only it applies publishConfig. */
await runToExit(async () => {
  const checked = await run(['turbo', 'run', 'check:package', '--output-logs=errors-only'])
  return checked === 0 ? run(['changeset', 'publish']) : checked
})
