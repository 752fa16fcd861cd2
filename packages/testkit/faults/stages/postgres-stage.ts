import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { startPostgres } from '../../../../scripts/services/index.ts'
import type { Server } from '../../../../scripts/services/index.ts'
import { openTarget } from '../programs/target.ts'
import type { Target } from '../programs/target.ts'
import type { Host, Stage } from './stage.ts'

export async function postgresStage(): Promise<Stage> {
  const server = await startPostgres({ fsync: true })
  return { ...postgresStageOn(server), [Symbol.asyncDispose]: () => server.stop() }
}

/** One server for many stages. */
export async function postgresHost(): Promise<Host> {
  const server = await startPostgres({ fsync: true })
  return { stage: async () => postgresStageOn(server), [Symbol.asyncDispose]: () => server.stop() }
}

export function postgresStageOn(server: Server): Stage {
  const schema = `faults_${randomBytes(4).toString('hex')}`
  const target = (port: number = server.port): Target => ({
    kind: 'postgres',
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    schema,
  })
  return {
    label: 'PostgreSQL, fsync on',
    lossMs: 0,
    address: { host: '127.0.0.1', port: server.port },
    target,
    open: () => openTarget(target()),
    async restart(downMs) {
      await server.kill()
      await pause(downMs)
      await server.restart()
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}
