import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Bench, Contender, Data, Place } from '../contender.ts'

/** One table, a hundred rows a transaction, no history: what the driver can do at most. */
export const contenders: readonly Contender[] = [
  { name: 'raw better-sqlite3', storage: 'sqlite', setting: 'raw', isSerial: true, open },
]

async function open({ folder, durable }: Place): Promise<Bench> {
  const database = new Database(join(folder, 'raw.db'))
  database.pragma('journal_mode = WAL')
  database.pragma(`synchronous = ${durable ? 'FULL' : 'NORMAL'}`)
  database.exec('create table if not exists job (id integer primary key, data text, state integer not null default 0)')
  database.exec('create index if not exists waiting on job (id) where state = 0')
  const insert = database.prepare<[string]>('insert into job (data) values (?)')
  const waiting = database.prepare<[], { id: number; data: string }>(
    'select id, data from job where state = 0 order by id limit 100',
  )
  const move = database.prepare<[number, number]>('update job set state = ? where id = ?')
  const unfinished = database.prepare<[], { n: number }>('select count(*) as n from job where state < 2')
  const insertAll = database.transaction((list: readonly Data[]) =>
    list.forEach((data) => insert.run(JSON.stringify(data))),
  )
  const take = database.transaction((done: readonly { id: number }[]) => {
    for (const { id } of done) move.run(2, id)
    const taken = waiting.all()
    for (const { id } of taken) move.run(1, id)
    return taken
  })
  return {
    enqueue: async (data) => insert.run(JSON.stringify(data)),
    enqueueMany: async (list) => insertAll.immediate(list),
    async work(_concurrency, handle) {
      let isRunning = true
      const loop = async (): Promise<void> => {
        let done: { id: number; data: string }[] = []
        while (isRunning) {
          done = take.immediate(done)
          for (const { data } of done) await handle(JSON.parse(data) as Data)
          await new Promise((resolve) => setImmediate(resolve))
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
    unfinished: async () => unfinished.get()?.n ?? 0,
    async close() {
      database.close()
    },
  }
}
