import { redisStorage } from '@q/redis'
import type { JobStorage } from '@q/core/storage'
import type { RedisStorageOptions } from '@q/redis'

/** Opened by a child process of the suite. */
export function openStorage(argument: string): JobStorage {
  return redisStorage(JSON.parse(argument) as RedisStorageOptions)
}
