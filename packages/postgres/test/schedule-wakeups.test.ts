import { randomBytes } from 'node:crypto'
import { createClient, createServer, defineJob } from '@q/core'
import { postgresStorage } from '@q/postgres'
import pg from 'pg'
import { expect, test } from 'vitest'

const databaseUrl = process.env['DATABASE_URL']
if (databaseUrl === undefined) throw new Error('DATABASE_URL is not set: npm test starts the server this needs.')

/** Far below the quarter of a minute after which an idle server looks by itself. */
const soonMs = 8000

test('an idle server notices a schedule that another process has put, and one that is put again', async () => {
  const schema = `q_${randomBytes(6).toString('hex')}`
  const [here, there] = [
    postgresStorage({ connectionString: databaseUrl, schema }),
    postgresStorage({ connectionString: databaseUrl, schema }),
  ]
  const ran = new Map(['first', 'second'].map((text) => [text, Promise.withResolvers<number>()]))
  const tick = defineJob({ name: 'tick', run: (text: string) => ran.get(text)!.resolve(Date.now()) })
  const server = createServer({ storage: there, jobs: [tick] })
  const client = createClient({ storage: here })
  try {
    await server.start()
    for (const text of ['first', 'second']) {
      const putAt = Date.now()
      await client.recurring.put('tick', { job: tick, input: text, every: '100ms' })
      expect((await ran.get(text)!.promise) - putAt).toBeLessThan(soonMs)
      await client.recurring.remove('tick')
    }
  } finally {
    await server.stop()
    await Promise.all([here.close(), there.close()])
    const admin = new pg.Client({ connectionString: databaseUrl })
    await admin.connect()
    await admin.query(`drop schema if exists ${schema} cascade`)
    await admin.end()
  }
})
