import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { Fleet } from '../fleet/fleet.ts'
import type { Member } from '../fleet/member.ts'
import type { Stage } from '../stages/stage.ts'
import { keepSoak } from './figures-file.ts'
import type { SoakRun } from './figures-file.ts'

const sampleEveryMs = 5_000
const pageBytes = 4096
/** What a process may have more in its last quarter than in its second, when caches are warm. */
const allowedGrowth = { share: 0.1, bytes: 12 * 1024 * 1024 }

/** A fleet at work without any fault: what its processes hold in memory stays what it is. */
export async function soak(open: () => Promise<Stage>, minutes: number, command: string): Promise<boolean> {
  const stage = await open()
  const fleet = await Fleet.open({ stage, leaseMs: 30_000 })
  try {
    const run = { storage: stage.label, command, minutes, ...(await watchMemory(fleet, minutes)) }
    keepSoak(run)
    process.stdout.write(`${JSON.stringify(run)}\n`)
    return run.processes.every(isFlat)
  } finally {
    await fleet[Symbol.asyncDispose]()
    await stage[Symbol.asyncDispose]()
  }
}

async function watchMemory(fleet: Fleet, minutes: number): Promise<Pick<SoakRun, 'jobs' | 'processes'>> {
  const members = await Promise.all([
    fleet.start('worker', { isQuiet: true }),
    fleet.start('worker', { isQuiet: true }),
    fleet.start('producer', { isQuiet: true, gapMs: 10 }),
  ])
  await Promise.all(members.map((member) => member.ready()))
  const samples = new Map<Member, number[]>(members.map((member) => [member, []]))
  for (const until = performance.now() + minutes * 60_000; performance.now() < until; await pause(sampleEveryMs)) {
    for (const [member, list] of samples) list.push(residentBytes(member.pid))
  }
  await fleet.stop()
  const storage = await fleet.stage.open()
  const { byPhase } = await storage.monitor.counts()
  await storage.close()
  return {
    jobs: byPhase.succeeded + byPhase.failed + byPhase.deleted,
    processes: [...samples].map(([{ plan }, list]) => ({
      role: plan.role,
      early: medianOf(quarter(list, 1)),
      late: medianOf(quarter(list, 3)),
    })),
  }
}

export function isFlat({ early, late }: SoakRun['processes'][number]): boolean {
  return late - early <= Math.max(early * allowedGrowth.share, allowedGrowth.bytes)
}

function residentBytes(pid: number): number {
  const [, resident = '0'] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')
  return Number(resident) * pageBytes
}

function quarter(list: readonly number[], index: number): readonly number[] {
  return list.slice(Math.floor((list.length * index) / 4), Math.ceil((list.length * (index + 1)) / 4))
}

function medianOf(list: readonly number[]): number {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0
}
