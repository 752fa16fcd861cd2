import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { onServer } from './on-server.ts'

/** To make a schema takes longer than most cases do, so an emptied one serves the next case. */
const emptied: string[] = []
const made = new Set<string>()
/** With more dead rows than these the next case would measure the one before. */
const mostJobs = 2_000

export function newSchema(): string {
  const name = `q_${randomBytes(6).toString('hex')}`
  made.add(name)
  return name
}

/** A schema that holds nothing, and perhaps the tables already. */
export function takeSchema(): string {
  return emptied.pop() ?? newSchema()
}

export async function returnSchema(name: string): Promise<void> {
  if (await onServer((client) => empty(client, name))) emptied.push(name)
}

/** For the end of a file. */
export async function dropSchemas(): Promise<void> {
  await onServer(async (client) => {
    for (const name of made) await client.query(`drop schema if exists ${quoted(name)} cascade`)
  })
}

/** Deletes rather than truncates: tables this small are emptied forty times as fast. False where it is not worth while. */
async function empty(client: pg.Client, name: string): Promise<boolean> {
  const q = quoted(name)
  const { rows: tables } = await client.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = $1 and tablename not in ('meta', 'migration')`,
    [name],
  )
  if (!tables.some((table) => table.name === 'job')) return false
  const { rows: jobs } = await client.query(`select from ${q}.job limit ${mostJobs + 1}`)
  if (jobs.length > mostJobs) return false
  const deletes = tables.map((table) => `delete from ${q}.${quoted(table.name)}`)
  await client.query([...deletes, `update ${q}.meta set queues = 0, names = 0, gate_turn = ''`].join(';\n'))
  return true
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
