import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { type SqliteStorage, sqliteStorage } from '@q/sqlite'
import type { ScratchStorage, ScratchTransaction } from '@q/testkit'

/** A folder of its own, gone afterwards. */
export async function scratchFolder(): Promise<{ readonly path: string; dispose(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'q-sqlite-'))
  return { path, dispose: () => rm(path, { recursive: true, force: true }) }
}

/** A file of its own for every case. */
export async function openFileScratch(): Promise<ScratchStorage> {
  const folder = await scratchFolder()
  const path = join(folder.path, 'jobs.db')
  const opened: SqliteStorage[] = []
  const open = (namespace?: string): SqliteStorage => {
    const storage = sqliteStorage({ path, namespace })
    opened.push(storage)
    return storage
  }
  return {
    storage: open(),
    another: () => open(),
    elsewhere: () => open('elsewhere'),
    child: { module: new URL('./open-in-child.ts', import.meta.url), argument: path },
    transaction: async () => beginOn(path),
    async dispose() {
      for (const storage of opened) await storage.close()
      await folder.dispose()
    },
  }
}

export function openMemoryScratch(): ScratchStorage {
  const opened: SqliteStorage[] = []
  const open = (): SqliteStorage => {
    const storage = sqliteStorage(':memory:')
    opened.push(storage)
    return storage
  }
  return {
    storage: open(),
    elsewhere: () => open(),
    async dispose() {
      for (const storage of opened) await storage.close()
    },
  }
}

/** A transaction on a connection of the caller's own. */
function beginOn(path: string): ScratchTransaction {
  const database = new Database(path)
  database.exec('begin immediate')
  const end = async (how: 'commit' | 'rollback'): Promise<void> => {
    database.exec(how)
    database.close()
  }
  return { tx: database, commit: () => end('commit'), rollback: () => end('rollback') }
}
