import { mapOf, numberOf, textsOf } from './codec/answer.ts'
import { unpack } from './msgpack.ts'
import { promote, recover, sweep } from './scripts/upkeep.ts'
import type { UpkeepRoom } from '@q/core/storage'
import type { Database } from './database.ts'
import type { Unpacked } from './msgpack.ts'
import type { Script } from './scripts/script.ts'

/** A script holds the whole server while it runs: longer lists are walked in several calls. */
const mostPerCall = 500

export function createUpkeep(db: Database): UpkeepRoom {
  const ask = async (
    script: Script<{ limit: number; publish: string }>,
    limit: number,
  ): Promise<ReadonlyMap<string, Unpacked>> => {
    const args = { limit: Math.min(limit, mostPerCall), publish: db.publishCommand() }
    return mapOf(unpack((await db.run(script, args)) as Buffer))
  }
  return {
    async promote(limit) {
      const answer = await ask(promote, limit)
      const nextDue = numberOf(answer.get('due'))
      return {
        moved: numberOf(answer.get('moved'))!,
        again: answer.get('again') === true,
        ...(nextDue === undefined ? {} : { nextDue }),
      }
    },
    async recover(limit) {
      const answer = await ask(recover, limit)
      const nextLook = numberOf(answer.get('look'))
      return {
        jobs: textsOf(answer.get('jobs')),
        sessions: textsOf(answer.get('sessions')),
        again: answer.get('again') === true,
        ...(nextLook === undefined ? {} : { nextLook }),
      }
    },
    async sweep(limit) {
      const answer = await ask(sweep, limit)
      return { removed: numberOf(answer.get('removed'))!, again: answer.get('again') === true }
    },
  }
}
