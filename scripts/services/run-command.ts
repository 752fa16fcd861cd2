import { run } from '../commands/run.ts'
import { sweepLeftovers } from './scratch-folder.ts'
import { serviceNames, startServices } from './start-services.ts'
import type { ServiceName } from './start-services.ts'

/** `[--only=redis,postgres] command...`: starts the services, runs the command with their addresses, stops them. */
export async function runCommand(args: readonly string[]): Promise<number> {
  const { wanted, command } = readArguments(args)
  const services = await startServices(wanted)
  try {
    return await run(command, { ...process.env, ...services.env })
  } finally {
    await services.stop()
    // Test processes that were killed may have left servers of their own.
    await sweepLeftovers()
  }
}

function readArguments(args: readonly string[]): { wanted: readonly ServiceName[]; command: readonly string[] } {
  const [first = ''] = args
  const only = /^--only=(.+)$/.exec(first)?.[1]?.split(',')
  const command = only === undefined ? args : args.slice(1)
  const unknown = only?.find((name) => !serviceNames.includes(name as ServiceName))
  if (unknown !== undefined || command.length === 0) {
    throw new Error(
      `${unknown === undefined ? 'No command given' : `There is no service "${unknown}"`}. ` +
        `Usage: node scripts/services.mjs [--only=${serviceNames.join(',')}] command...`,
    )
  }
  return { wanted: (only as ServiceName[] | undefined) ?? serviceNames, command }
}
