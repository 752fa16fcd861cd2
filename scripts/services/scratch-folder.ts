import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { childrenOf, identify, pidNamespace } from './process-identity.ts'

/** A process as a later run may find it again. */
export interface Mark {
  readonly pid: number
  readonly identity: string
  readonly namespace: string
  /** Asks a server to end at once; its data is thrown away. */
  readonly dropSignal?: NodeJS.Signals | undefined
}

let runFolder: string | null = null

/** A new empty folder of this process. What crashed runs of the same user left behind is swept before the first one. */
export async function createScratchFolder(name: string): Promise<string> {
  if (runFolder === null) {
    await sweepLeftovers()
    runFolder ??= createRunFolder()
  }
  return mkdtempSync(join(runFolder, `${name}-`))
}

/** Removes this process's folders; its servers have been stopped before. */
export function removeRunFolder(): void {
  if (runFolder !== null) rmSync(runFolder, { recursive: true, force: true, maxRetries: 5 })
  runFolder = null
}

export function markServer(folder: string, pid: number, dropSignal: NodeJS.Signals): Mark {
  return writeMark(join(folder, 'server.json'), pid, dropSignal)
}

/**
 * Ends the servers and removes the folders of runs whose process is gone. Only what carries a mark of ours is
 * touched, and a pid only when the process that has it now is the one that was marked.
 */
export async function sweepLeftovers(base: string = baseFolder()): Promise<void> {
  for (const entry of existsSync(base) ? readdirSync(base) : []) {
    if (!entry.startsWith('run-')) continue
    const folder = join(base, entry)
    const owner = readMark(join(folder, 'owner.json'))
    if (owner === null || owner.namespace !== pidNamespace() || isAlive(owner)) continue
    // Whoever renames it first sweeps it; two runs may start at the same moment.
    const swept = join(base, `swept-${process.pid}-${entry}`)
    try {
      renameSync(folder, swept)
    } catch {
      continue
    }
    for (const server of readdirSync(swept)) {
      const mark = readMark(join(swept, server, 'server.json'))
      if (mark !== null) await drop(mark)
    }
    rmSync(swept, { recursive: true, force: true, maxRetries: 5 })
  }
}

export function isAlive(mark: Mark): boolean {
  return identify(mark.pid) === mark.identity
}

/** Ends a process and its children for good. */
export async function drop(mark: Mark): Promise<void> {
  if (!isAlive(mark)) return
  const children = childrenOf(mark.pid)
  signal(mark.pid, mark.dropSignal ?? 'SIGTERM')
  signal(mark.pid, 'SIGCONT')
  for (const deadline = Date.now() + 5_000; isAlive(mark) && Date.now() < deadline;) await delay(10)
  if (!isAlive(mark)) return
  for (const pid of [mark.pid, ...children]) signal(pid, 'SIGKILL')
  for (const deadline = Date.now() + 5_000; isAlive(mark) && Date.now() < deadline;) await delay(10)
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function createRunFolder(): string {
  const base = baseFolder()
  mkdirSync(base, { recursive: true })
  // Servers that refuse to run as root run as nobody: they must be able to walk in, not to look around.
  chmodSync(base, 0o711)
  const fresh = mkdtempSync(join(base, 'new-'))
  chmodSync(fresh, 0o711)
  writeMark(join(fresh, 'owner.json'), process.pid)
  // Under its final name a folder always has its owner: no sweeper can mistake one in the making for a leftover.
  const folder = join(base, `run-${process.pid}-${fresh.slice(-6)}`)
  renameSync(fresh, folder)
  return folder
}

/** One per user, so that nobody finds files there that are not theirs to remove. */
function baseFolder(): string {
  const temp = process.getuid?.() === 0 && !isOpenToAll(tmpdir()) ? '/tmp' : tmpdir()
  return join(temp, `q-services-${userInfo().uid}`)
}

function isOpenToAll(folder: string): boolean {
  const open = (statSync(folder).mode & 0o001) !== 0
  return open && (dirname(folder) === folder || isOpenToAll(dirname(folder)))
}

function writeMark(file: string, pid: number, dropSignal?: NodeJS.Signals): Mark {
  const mark: Mark = { pid, identity: identify(pid) ?? '', namespace: pidNamespace(), dropSignal }
  writeFileSync(file, JSON.stringify(mark))
  return mark
}

function readMark(file: string): Mark | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Mark
  } catch {
    return null
  }
}
