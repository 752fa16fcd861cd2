import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { Fleet } from '../fleet/fleet.ts'
import type { Member } from '../fleet/member.ts'
import type { Stage } from '../stages/stage.ts'

const sampleEveryMs = 5_000
const pageBytes = 4096
/** What a process may have more in its last quarter than in its second, when caches are warm. */
const allowedGrowth = { share: 0.1, bytes: 12 * 1024 * 1024 }

/** A fleet at work without any fault: what its processes hold in memory stays what it is. */
export async function soak(open: () => Promise<Stage>, minutes: number): Promise<boolean> {
  const stage = await open()
  const fleet = await Fleet.open({ stage, leaseMs: 30_000 })
  try {
    return await watchMemory(fleet, stage.label, minutes)
  } finally {
    await fleet[Symbol.asyncDispose]()
    await stage[Symbol.asyncDispose]()
  }
}

async function watchMemory(fleet: Fleet, label: string, minutes: number): Promise<boolean> {
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
  let isFlat = true
  for (const [member, list] of samples) {
    const [early, late] = [medianOf(quarter(list, 1)), medianOf(quarter(list, 3))]
    const isWithin = late - early <= Math.max(early * allowedGrowth.share, allowedGrowth.bytes)
    isFlat &&= isWithin
    process.stdout.write(
      `${label}, ${member.name}: ${megabytes(early)} → ${megabytes(late)} MB in ${minutes} minutes${isWithin ? '' : ': it grows'}\n`,
    )
  }
  return isFlat
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

function megabytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024)
}
