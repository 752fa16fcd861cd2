import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'

/**
 * What tells this process from every other that ever had the same pid: when it started, and in which pid namespace.
 * Null when there is no such process, or when it only waits to be reaped.
 */
export function identify(pid: number): string | null {
  return process.platform === 'linux' ? identifyByProc(pid) : identifyByPs(pid)
}

/** Two containers may share a temp folder but not their pids: what another namespace left is not ours to judge. */
export function pidNamespace(): string {
  return process.platform === 'linux' ? readlinkSync('/proc/self/ns/pid') : 'machine'
}

export function childrenOf(pid: number): number[] {
  const all = process.platform === 'linux' ? parentsByProc() : parentsByPs()
  return all.filter(([, parent]) => parent === pid).map(([child]) => child)
}

function identifyByProc(pid: number): string | null {
  const stat = statOf(pid)
  if (stat === null || stat.state === 'Z' || stat.state === 'X') return null
  return stat.startTicks
}

function identifyByPs(pid: number): string | null {
  try {
    const [state, ...started] = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' })
      .trim()
      .split(/\s+/)
    return state === undefined || state === '' || state.startsWith('Z') ? null : started.join(' ')
  } catch {
    return null
  }
}

function parentsByProc(): Array<[pid: number, parent: number]> {
  const found: Array<[number, number]> = []
  for (const entry of readdirSync('/proc')) {
    const stat = /^\d+$/.test(entry) ? statOf(Number(entry)) : null
    if (stat !== null) found.push([Number(entry), stat.parent])
  }
  return found
}

function parentsByPs(): Array<[pid: number, parent: number]> {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number])
}

function statOf(pid: number): { state: string; parent: number; startTicks: string } | null {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return null
  }
  // The command name may hold spaces and brackets: the fields are counted from behind its last bracket.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? 'X', parent: Number(fields[1]), startTicks: fields[19] ?? '' }
}
