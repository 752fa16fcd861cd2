import type { JobStorage } from '@q/core/storage'
import { postgresStorage } from '@q/postgres'

/** How the suite's child processes open the storage of a case: `argument` is the address and the schema. */
export function openStorage(argument: string): JobStorage {
  const { connectionString, schema } = JSON.parse(argument) as { connectionString: string; schema: string }
  return postgresStorage({ connectionString, schema, connections: 3 })
}
