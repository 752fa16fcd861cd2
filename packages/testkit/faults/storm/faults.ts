import { setTimeout as pause } from 'node:timers/promises'
import type { JobStorage } from '@q/core/storage'
import type { Random } from '../../src/differential/random.ts'
import type { TcpProxy } from '../../src/faults/tcp-proxy.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { Member } from '../fleet/member.ts'
import { until } from '../fleet/until.ts'
import { machineMs } from '../evidence/entry.ts'
import { openRuns } from '../evidence/open-runs.ts'
import type { Plan, Swallowed } from '../programs/plan.ts'
import type { FaultName } from './quota.ts'

/** A fault that has been planned strikes within this time, or not at all. */
const strikeMs = 3_000

export interface Scene {
  readonly fleet: Fleet
  readonly storage: JobStorage
  readonly random: Random
  /** When the server was killed. */
  readonly crashes: number[]
}

/** Does it once; answers whether it has struck. */
export type Fault = (scene: Scene) => Promise<boolean>

export const faults: Readonly<Record<FaultName, Fault>> = {
  'kill worker': killOne('worker'),
  'kill producer': killOne('producer'),
  zombie: (scene) => withMember(scene, 'worker', (member) => freezeUntilRecovered(scene, member)),
  block: (scene) => withMember(scene, 'worker', (member) => blockLoop(scene, member)),
  'swallow create': swallow('producer', 'create'),
  'swallow exchange': swallow('worker', 'exchange'),
  'swallow heartbeat': swallow('worker', 'heartbeat'),
  'swallow tick': swallow('worker', 'tick'),
  'lose reply': onLine('lost reply', (line, random) => line.loseReply(random.int(0, 2))),
  cut: onLine('cut', (line, random) =>
    line.cutAfter(random.int(0, 2_000), random.chance(0.4) ? 'requests' : 'replies'),
  ),
  'black hole': (scene) =>
    withMember(scene, anyRole(scene.random), async (member) => {
      await scene.fleet.during(member.name, 'black hole', true, async () => {
        member.line!.blackHole()
        await pause(scene.fleet.leaseMs * (0.3 + scene.random.next()))
        member.line!.heal()
      })
      return true
    }),
  'slow line': (scene) =>
    withMember(scene, anyRole(scene.random), async (member) => {
      await scene.fleet.during(member.name, 'slow line', false, async () => {
        if (scene.random.chance(0.5)) member.line!.delay(scene.random.int(20, 200))
        else member.line!.slow(scene.random.int(5_000, 50_000))
        await pause(scene.random.int(300, 1_000))
        member.line!.heal()
      })
      return true
    }),
  async restart({ fleet, random, crashes }) {
    await fleet.during('all', 'restart', true, async () => {
      crashes.push(machineMs())
      await fleet.stage.restart!(random.int(0, 500))
    })
    return true
  },
}

function killOne(role: Plan['role']): Fault {
  return async ({ fleet, random }) => {
    const member = free(fleet, random, role)
    if (member === null) return false
    await fleet.kill(member)
    // Somebody starts another one, as whoever watches over processes would.
    const next = await fleet.start(role)
    await next.ready()
    return true
  }
}

/** Frozen until the others have taken its jobs, then awake again as if nothing had happened. */
async function freezeUntilRecovered({ fleet, storage }: Scene, member: Member): Promise<boolean> {
  const hasSession = async (): Promise<boolean> =>
    (await storage.monitor.sessions()).some(({ server }) => server === member.name)
  let isZombie = false
  await fleet.during(member.name, 'freeze', true, async () => {
    member.freeze()
    try {
      if (openRuns(fleet.entriesOf(member.name)).length === 0) return
      if (fleet.stage.isWritable !== undefined && !(await fleet.stage.isWritable())) return
      await until(`the session of ${member.name} is given up`, 40_000, async () => !(await hasSession()))
      isZombie = true
    } finally {
      member.thaw()
    }
  })
  if (isZombie) await until(`${member.name} comes back by itself`, 30_000, hasSession)
  return isZombie
}

async function blockLoop({ fleet }: Scene, member: Member): Promise<boolean> {
  const ms = 3 * fleet.leaseMs
  await fleet.during(member.name, 'block', true, async () => {
    member.tell({ do: 'block', ms })
    await pause(ms)
  })
  return true
}

function swallow(role: Plan['role'], method: Swallowed): Fault {
  return async ({ fleet, random }) => {
    const member = free(fleet, random, role, true)
    if (member === null) return false
    const from = machineMs()
    member.swallow(method)
    let struck = false
    await within(strikeMs, () => member.isGone || (struck = member.countSwallowed(method)))
    fleet.hits.push({ who: member.name, kind: `swallowed ${method}`, from, to: machineMs(), voids: false })
    return struck
  }
}

/** A fault of the line that strikes when the right bytes come by. */
function onLine(kind: string, arm: (line: TcpProxy, random: Random) => void): Fault {
  return (scene) =>
    withMember(scene, anyRole(scene.random), async (member) => {
      const line = member.line!
      const before = line.struck
      let struck = false
      await scene.fleet.during(member.name, kind, false, async () => {
        arm(line, scene.random)
        struck = await within(strikeMs, () => line.struck > before)
        if (!struck) line.heal()
      })
      return struck
    })
}

async function withMember(
  { fleet, random }: Scene,
  role: Plan['role'],
  work: (member: Member) => Promise<boolean>,
): Promise<boolean> {
  const member = free(fleet, random, role)
  if (member === null) return false
  member.isTaken = true
  try {
    return await work(member)
  } finally {
    member.isTaken = false
  }
}

/** One worker always stays untouched, or nobody could recover the jobs of the others. */
function free(fleet: Fleet, random: Random, role: Plan['role'], isHarmless = false): Member | null {
  const candidates = fleet.of(role).filter(({ isFree }) => isFree)
  if (candidates.length <= (isHarmless ? 0 : 1)) return null
  return random.pick(candidates)
}

function anyRole(random: Random): Plan['role'] {
  return random.chance(0.6) ? 'worker' : 'producer'
}

async function within(ms: number, ask: () => boolean): Promise<boolean> {
  for (const until = machineMs() + ms; machineMs() < until; await pause(10)) if (ask()) return true
  return ask()
}
