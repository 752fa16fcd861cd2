import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Redis } from 'ioredis'
import pg from 'pg'
import type { Place, StorageName } from './contender.ts'

/** What a server says of its own work; differences of two readings are figures. */
export interface Reading {
  readonly cpuMs?: number
  readonly commands?: number
  readonly bytes?: number
  readonly walBytes?: number
}

export async function readServer(storage: StorageName, { url, folder }: Place): Promise<Reading> {
  switch (storage) {
    case 'redis':
      return readRedis(url)
    case 'postgres':
      return readPostgres(url)
    case 'sqlite':
      return readSqlite(folder)
    case 'memory':
      return {}
  }
}

/** The pages of its files that are in use, those in the write-ahead log as well. */
async function readSqlite(folder: string): Promise<Reading> {
  let bytes = 0
  for (const file of await readdir(folder)) {
    if (!file.endsWith('.db')) continue
    const database = new Database(join(folder, file), { readonly: true })
    const number = (name: string): number => database.pragma(name, { simple: true }) as number
    bytes += (number('page_count') - number('freelist_count')) * number('page_size')
    database.close()
  }
  return { bytes }
}

async function readRedis(url: string): Promise<Reading> {
  const redis = new Redis(url)
  const info = await redis.info('everything')
  redis.disconnect()
  const value = (key: string): number => Number(new RegExp(`^${key}:([\\d.]+)`, 'm').exec(info)?.[1] ?? Number.NaN)
  const calls = [...info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]
  return {
    cpuMs: (value('used_cpu_user') + value('used_cpu_sys')) * 1000,
    // What the reading itself adds would be counted as the contender's.
    commands: calls.filter(([, name]) => name !== 'info').reduce((sum, [, , count]) => sum + Number(count), 0),
    bytes: value('used_memory'),
  }
}

async function readPostgres(url: string): Promise<Reading> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  // Counters of other backends arrive with a delay.
  const { rows } = await client.query<{ wal: string; bytes: string; xacts: string }>(
    `select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text as wal, pg_database_size(current_database())::text as bytes,
       (select xact_commit + xact_rollback from pg_stat_database where datname = current_database())::text as xacts`,
  )
  await client.end()
  const [row] = rows
  return { walBytes: Number(row?.wal), bytes: Number(row?.bytes), commands: Number(row?.xacts) }
}

/** A reader that has looked once and goes on holding what it saw, until it is ended. */
export async function holdSnapshot(url: string): Promise<{ end(): Promise<void> }> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('begin isolation level repeatable read')
  await client.query('select count(*) from pg_class')
  return { end: () => client.end() }
}
