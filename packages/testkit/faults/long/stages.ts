import { postgresStage } from '../stages/postgres-stage.ts'
import { redisStage } from '../stages/redis-stage.ts'
import { sqliteStage } from '../stages/sqlite-stage.ts'
import type { Stage } from '../stages/stage.ts'

/** What `--storage` may name. */
export const stages: Readonly<Record<string, () => Promise<Stage>>> = {
  sqlite: () => sqliteStage(),
  postgres: postgresStage,
  redis: () => redisStage('always'),
  'redis-everysec': () => redisStage('everysec'),
}
