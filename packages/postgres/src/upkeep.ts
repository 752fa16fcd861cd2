import type { UpkeepRoom } from '@q/core/storage'
import { uuidToId } from './id.ts'
import type { Room } from './room.ts'
import { promote, recover, sweep } from './statements/upkeep.ts'

export function createUpkeepRoom({ connections, pokes, enter }: Room): UpkeepRoom {
  return {
    promote: (limit) =>
      enter(async () => {
        const [row] = await connections.write(promote, [Math.min(limit, 4000)])
        pokes.touch(row!.topics)
        const { moved, again, next_due: nextDue } = row!
        return nextDue === null ? { moved, again } : { moved, again, nextDue: Number(nextDue) }
      }),
    recover: (limit) =>
      enter(async () => {
        const [row] = await connections.write(recover, [limit])
        pokes.touch(row!.topics)
        const { jobs, sessions, again, next_look: nextLook } = row!
        const recovered = { jobs: jobs.map(uuidToId), sessions, again }
        return nextLook === null ? recovered : { ...recovered, nextLook: Number(nextLook) }
      }),
    sweep: (limit) =>
      enter(async () => {
        const [row] = await connections.write(sweep, [limit])
        pokes.touch(row!.topics)
        return { removed: row!.removed, again: row!.again }
      }),
  }
}
