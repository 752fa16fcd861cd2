import type { JobStorage } from '../storage/storage.ts'

/** The storage's own clock, on which schedules, pauses and frozen queries stand. */
export async function storageNow({ storage }: { readonly storage: JobStorage }): Promise<number> {
  const { now } = await storage.recurring.due(0)
  return now
}
