export { type PostgresOptions, type PostgresStorage, openUrl, postgresStorage } from './storage.ts'
export { type KyselyTransaction, type PostgresTransaction } from './within.ts'
export { type Queryable } from './connection.ts'
