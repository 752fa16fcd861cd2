import pg from 'pg'

/** Where the servers of the tests listen: whoever runs them sets these. */
export const databaseUrl: string = wanted('DATABASE_URL')
export const pgbouncerUrl: string = wanted('PGBOUNCER_URL')

function wanted(name: string): string {
  const value = process.env[name]
  if (value !== undefined) return value
  throw new Error(`${name} is not set: run these tests with npm test, which starts the servers they need`)
}

/** Runs statements past every pooler. */
export async function onServer<T>(body: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl, options: '-c client_min_messages=warning' })
  await client.connect()
  try {
    return await body(client)
  } finally {
    await client.end()
  }
}
