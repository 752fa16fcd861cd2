import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openTarget } from '../programs/target.ts'
import type { Host, Stage } from './stage.ts'

/** Longer than any commit of a process that runs. */
const patienceMs = 300

/** A file on the disk. There is no server to restart: whoever is killed in a commit is what stands for it. */
export async function sqliteStage(folder?: string): Promise<Stage> {
  const own = folder ?? (await mkdtemp(join(tmpdir(), 'q-faults-sqlite-')))
  const target = { kind: 'sqlite', path: join(own, 'jobs.db') } as const
  return {
    label: 'SQLite, synchronous FULL',
    lossMs: 0,
    target: () => target,
    open: () => openTarget(target),
    isWritable: () => canBegin(target.path),
    async [Symbol.asyncDispose]() {
      if (folder === undefined) await rm(own, { recursive: true, force: true })
    },
  }
}

/** A file for each. */
export async function sqliteHost(): Promise<Host> {
  return { stage: () => sqliteStage(), [Symbol.asyncDispose]: async () => undefined }
}

interface Lockable {
  exec(sql: string): unknown
  close(): unknown
}

async function canBegin(path: string): Promise<boolean> {
  // The driver belongs to the adapter's package, not to this one.
  const Database = createRequire(new URL('../../../sqlite/package.json', import.meta.url))('better-sqlite3') as new (
    path: string,
    options: { timeout: number },
  ) => Lockable
  const database = new Database(path, { timeout: patienceMs })
  try {
    database.exec('begin immediate; rollback')
    return true
  } catch {
    return false
  } finally {
    database.close()
  }
}
