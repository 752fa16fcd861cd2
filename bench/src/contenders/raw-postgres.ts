import pg from 'pg'
import type { Bench, Contender, Data, Place } from '../contender.ts'

/** One table, deleted from with SKIP LOCKED a hundred at a time, no history: what one connection can do at most. */
export const contenders: readonly Contender[] = [
  { name: 'raw pg', storage: 'postgres', setting: 'raw', isSerial: true, open },
]

const insert = 'insert into raw_waiting (data) select * from unnest($1::text[])'
const takeAndFinish = `
with finished as (delete from raw_active where id = any($1::bigint[])),
taken as (delete from raw_waiting where id in (select id from raw_waiting order by id for update skip locked limit 100) returning id, data),
kept as (insert into raw_active select id from taken)
select id, data from taken`

async function open({ url }: Place): Promise<Bench> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(
    'create table if not exists raw_waiting (id bigint generated always as identity primary key, data text)',
  )
  await client.query('create table if not exists raw_active (id bigint primary key)')
  return {
    enqueue: (data) => client.query({ name: 'insert', text: insert, values: [[JSON.stringify(data)]] }),
    enqueueMany: (list) =>
      client.query({ name: 'insert', text: insert, values: [list.map((data) => JSON.stringify(data))] }),
    async work(_concurrency, handle) {
      let isRunning = true
      const loop = async (): Promise<void> => {
        let done: string[] = []
        while (isRunning) {
          const { rows } = await client.query<{ id: string; data: string }>({
            name: 'take',
            text: takeAndFinish,
            values: [done],
          })
          for (const { data } of rows) await handle(JSON.parse(data) as Data)
          done = rows.map(({ id }) => id)
          if (rows.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
        }
      }
      const running = loop()
      return {
        async stop() {
          isRunning = false
          await running
        },
      }
    },
    async unfinished() {
      const { rows } = await client.query<{ n: number }>(
        'select ((select count(*) from raw_waiting) + (select count(*) from raw_active))::int as n',
      )
      return rows[0]?.n ?? 0
    },
    close: () => client.end(),
  }
}
