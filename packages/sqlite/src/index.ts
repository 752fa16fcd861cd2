export { type SqliteOptions, type SqliteStorage, openUrl, sqliteStorage } from './storage.ts'
export { type SqliteJobsRoom } from './jobs.ts'
export { type Database } from './connection.ts'
