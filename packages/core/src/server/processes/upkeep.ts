import type { ServerCore } from '../server-core.ts'
import type { ServerSession } from '../session.ts'
import type { Process } from '../supervise.ts'
import { supervise } from '../supervise.ts'

const chunk = 500
const sweepEveryMs = 60_000
/** Between two looks for lost servers, however soon the storage asks for one. */
const shortestLookMs = 100
/** Chunks in one go; then others get their turn. */
const mostChunks = 20

/** Promotes what is due, recovers what lost its server, removes what nobody keeps. Any number of servers may do it at once. */
export function startUpkeep(core: ServerCore, session: ServerSession, onMoved: () => void): Process {
  const { storage, clock, heartbeatMs, ttlMs } = core
  let promoteAt = clock.monotonic()
  let recoverAt = clock.monotonic() + jitter(core, heartbeatMs / 2)
  let sweepAt = clock.monotonic() + jitter(core, sweepEveryMs)

  const upkeep = supervise(core, 'upkeep', heartbeatMs, async () => {
    await promoteWhenDue()
    const now = clock.monotonic()
    if (now >= recoverAt) {
      // After an outage or a stall of our own nobody has renewed, so nobody may be judged: heartbeat first, recover next time.
      const mayJudge = session.silentMs() < ttlMs / 4 || session.renewsItself
      recoverAt = now + (mayJudge ? await recover(core, session) : heartbeatMs / 4)
    }
    if (now >= sweepAt) {
      sweepAt = now + sweepEveryMs
      await repeat(async () => (await storage.upkeep.sweep(chunk)).again)
    }
    return Math.max(0, Math.min(promoteAt, recoverAt) - clock.monotonic())
  })

  /** Not at every look for lost servers: it would find nothing between what is due and what the last one has seen. */
  async function promoteWhenDue(): Promise<void> {
    const now = clock.monotonic()
    if (now < promoteAt) return
    promoteAt = Infinity
    try {
      promoteIn(Math.min(heartbeatMs, await promote(core, session, onMoved)))
    } catch (error) {
      promoteAt = now
      throw error
    }
  }

  function promoteIn(ms: number): void {
    promoteAt = Math.min(promoteAt, clock.monotonic() + ms)
  }

  return {
    ...upkeep,
    pokeIn(ms) {
      promoteIn(ms)
      upkeep.pokeIn(ms)
    },
  }
}

async function promote(core: ServerCore, session: ServerSession, onMoved: () => void): Promise<number> {
  let dueInMs = Infinity
  await repeat(async () => {
    const { moved, again, nextDue } = await core.storage.upkeep.promote(chunk)
    if (moved > 0) onMoved()
    dueInMs = nextDue === undefined ? Infinity : Math.max(1, session.until(nextDue))
    return again
  })
  return dueInMs
}

/** The storage says when there will be something to look at, so the dead are found soon and the living are not asked about for nothing. */
async function recover(core: ServerCore, session: ServerSession): Promise<number> {
  let lookAt: number | undefined
  await repeat(async () => {
    const { jobs, sessions, again, nextLook } = await core.storage.upkeep.recover(chunk)
    lookAt = nextLook
    if (sessions.length > 0)
      core.logger.warn('recovered the jobs of lost servers', {
        server: core.name,
        jobs: jobs.length,
        sessions: sessions.length,
      })
    return again
  })
  const inMs = lookAt === undefined ? core.heartbeatMs : session.until(lookAt)
  return Math.min(Math.max(inMs, shortestLookMs) + jitter(core, shortestLookMs), core.ttlMs / 2)
}

async function repeat(work: () => Promise<boolean>): Promise<void> {
  for (let n = 0; n < mostChunks; n++) if (!(await work())) return
}

function jitter(core: ServerCore, ms: number): number {
  return ms * core.clock.random()
}
