import { createTables } from './0001-create-tables.ts'
import { createFunctions } from './0002-create-functions.ts'
import type { Migration } from './migration.ts'

/** In the order in which they are applied. Append only. */
export const migrations: readonly Migration[] = [createTables, createFunctions]
