import { join } from 'node:path'
import { nodePackage, thisMachine } from '../bootstrap/node-package.mjs'
import { fetchPackage } from '../bootstrap/npm.mjs'
import { startServices } from '../services/start-services.ts'
import { checkout } from './checkout.ts'
import { runToExit } from './run-to-exit.ts'
import { run } from './run.ts'
import { vitest } from './vitest.ts'

const versions = [22, 24, 26]

/** All tests on every Node the packages promise to run on, one after another. */
await runToExit(async () => {
  const services = await startServices()
  try {
    return await testEach({ ...process.env, ...services.env })
  } finally {
    await services.stop()
  }
})

async function testEach(env: NodeJS.ProcessEnv): Promise<number> {
  const name = nodePackage(thisMachine())
  const outcomes: string[] = []
  let worst = 0
  for (const version of versions) {
    const folder = join(checkout, '.cache', `node-${version}`)
    await fetchPackage(`${name}@${version}`, folder, process.env)
    const program = process.platform === 'win32' ? 'bin/node.exe' : 'bin/node'
    const bin = join(folder, 'node_modules', name, program)
    console.log(`\nNode ${version}`)
    const code = await run(vitest([], process.argv.slice(2), bin), {
      ...env,
      PATH: `${join(bin, '..')}:${env['PATH']}`,
    })
    outcomes.push(`Node ${version}: ${code === 0 ? 'passed' : `failed (${code})`}`)
    worst = Math.max(worst, code)
  }
  console.log(outcomes.join('\n'))
  return worst
}
