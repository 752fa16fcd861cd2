import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkout } from './checkout.ts'
import { runToExit } from './run-to-exit.ts'
import { run } from './run.ts'

interface Check {
  readonly name: string
  readonly command: readonly string[]
}

const own = (command: string): string[] => [process.execPath, join(checkout, 'scripts/commands', `${command}.ts`)]

const checks: readonly Check[] = [
  { name: 'types', command: ['turbo', 'run', 'typecheck', '--continue', '--output-logs=errors-only'] },
  { name: 'types of scripts', command: ['tsc', '-p', 'scripts/tsconfig.json'] },
  { name: 'lint', command: ['oxlint', '--deny-warnings'] },
  { name: 'import boundaries', command: own('check-boundaries') },
  { name: 'formatting', command: ['oxfmt', '--check'] },
  { name: 'unused code', command: ['knip'] },
  { name: 'packages', command: ['turbo', 'run', 'check:package', '--continue', '--output-logs=errors-only'] },
  { name: 'how much of core its tests run', command: own('coverage') },
  { name: 'a consumer of the tarballs', command: own('check-tarballs') },
]

/** Everything that can be said about the code but whether it works. All checks run, whatever the first ones say. */
await runToExit(async () => {
  process.chdir(checkout)
  const outcomes: Array<{ name: string; passed: boolean; seconds: number }> = []
  for (const { name, command } of checks) {
    console.log(`\n== ${name}`)
    const startedMs = performance.now()
    const code = await run(command)
    outcomes.push({ name, passed: code === 0, seconds: (performance.now() - startedMs) / 1000 })
  }
  console.log('\nHow the checks went')
  for (const { name, passed, seconds } of outcomes) {
    console.log(`  ${passed ? 'passed' : 'FAILED'}  ${seconds.toFixed(1).padStart(6)} s  ${name}`)
  }
  const results = process.env['Q_CHECK_RESULTS']
  if (results !== undefined) writeFileSync(results, JSON.stringify(outcomes))
  return outcomes.every(({ passed }) => passed) ? 0 : 1
})
