import type { JobId } from '@q/core/storage'
import type { Witnessed } from './entry.ts'

/** The runs that one process has started and not ended, by what it wrote. */
export function openRuns(entries: readonly Witnessed[]): { readonly id: JobId; readonly attempt: number }[] {
  const open = new Map<JobId, number>()
  for (const entry of entries) {
    if (entry.k === 'start') open.set(entry.id, entry.attempt)
    if (entry.k === 'end' || entry.k === 'threw' || entry.k === 'aborted') open.delete(entry.id)
  }
  return [...open].map(([id, attempt]) => ({ id, attempt }))
}
