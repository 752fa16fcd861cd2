export { type MemoryOptions, type MemoryStorage, memoryStorage } from './memory-storage.ts'
export { type EndOfClaim, type Rules, rules } from './rules.ts'
