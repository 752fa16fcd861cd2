import { postgresStorage } from '@q/postgres'

const [connectionString, schema] = process.argv.slice(2)
await postgresStorage({ connectionString, schema, listen: false }).start()
