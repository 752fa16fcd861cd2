import { sqliteStorage } from '@q/sqlite'
import type { SqliteStorage } from '@q/sqlite'

/** What a child process of the suite opens: the file that is named. */
export function openStorage(path: string): SqliteStorage {
  return sqliteStorage(path)
}
