import { chown, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { startPostgres, startRedis } from '../../../../scripts/services/index.ts'
import { postgresStageOn } from './postgres-stage.ts'
import { redisStageOn } from './redis-stage.ts'
import type { Stage } from './stage.ts'

/** The append-only file lies in this folder. */
export async function redisStageIn(folder: string, aof: 'always' | 'everysec'): Promise<Stage> {
  const server = await startRedis({ aof, settings: { dir: folder } })
  return { ...redisStageOn(server, aof), [Symbol.asyncDispose]: () => server.stop() }
}

/** The tables lie in this folder; the log of the database does not. */
export async function postgresStageIn(folder: string): Promise<Stage> {
  const server = await startPostgres({ fsync: true })
  const place = join(folder, 'tables')
  await mkdir(place)
  // As the server runs, so must the folder belong.
  const { uid, gid } = await stat(join(server.folder, 'data'))
  await chown(place, uid, gid)
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  await client.query(`create tablespace small location '${place}'`)
  await client.query('alter database postgres set default_tablespace = small')
  await client.end()
  return { ...postgresStageOn(server), [Symbol.asyncDispose]: () => server.stop() }
}
