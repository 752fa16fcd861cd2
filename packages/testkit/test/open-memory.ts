import { memoryStorage } from '@q/core/memory'
import type { JobStorage } from '@q/core/storage'

export function openStorage(argument: string): JobStorage {
  return { ...memoryStorage(), label: `memory of ${argument}` }
}
