import { redisStorage } from './storage.ts'
import type { RedisStorage } from './storage.ts'

/** A storage from `redis://…` or `rediss://…`; `?namespace=` says what its keys are under. */
export function openUrl(url: string): RedisStorage {
  const [address = '', query] = url.split('?', 2)
  const params = new URLSearchParams(query)
  const namespace = params.get('namespace') ?? undefined
  params.delete('namespace')
  const rest = params.toString()
  return redisStorage({ url: rest === '' ? address : `${address}?${rest}`, namespace })
}
