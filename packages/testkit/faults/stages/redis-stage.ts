import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { startRedis } from '../../../../scripts/services/index.ts'
import type { Server } from '../../../../scripts/services/index.ts'
import { openTarget } from '../programs/target.ts'
import type { Target } from '../programs/target.ts'
import type { Host, Stage } from './stage.ts'

/** `everysec`: Redis may hold its writes back for two seconds while the disk is slow. */
const everysecLossMs = 2000

export async function redisStage(aof: 'always' | 'everysec'): Promise<Stage> {
  const server = await startRedis({ aof })
  return { ...redisStageOn(server, aof), [Symbol.asyncDispose]: () => server.stop() }
}

/** One server for many stages. */
export async function redisHost(): Promise<Host> {
  const server = await startRedis({ aof: 'always' })
  return { stage: async () => redisStageOn(server, 'always'), [Symbol.asyncDispose]: () => server.stop() }
}

export function redisStageOn(server: Server, aof: 'always' | 'everysec'): Stage {
  const namespace = `faults-${randomBytes(4).toString('hex')}`
  const target = (port: number = server.port): Target => ({
    kind: 'redis',
    url: `redis://127.0.0.1:${port}`,
    namespace,
  })
  return {
    label: `Redis, AOF ${aof}`,
    lossMs: aof === 'always' ? 0 : everysecLossMs,
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
