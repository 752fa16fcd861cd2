export { type RedisStorage, type RedisStorageOptions, redisStorage } from './storage.ts'
export { type ClusterNode, type SentinelAddress } from './connection.ts'
export { openUrl } from './open-url.ts'
