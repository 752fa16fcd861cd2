import { addRest, findReady, shortenReady } from './statements/job.ts'
import type { Store } from './store.ts'

/** Makes a row of plain jobs, which begins at `head`, end with the job at `place`: what follows gets a row of its own. */
export function cutAfter(
  store: Store,
  queue: number,
  priority: number,
  head: number,
  last: number,
  place: number,
): void {
  if (place >= last) return
  store.db.run(addRest, place + 1, queue, priority, head)
  store.db.run(shortenReady, place, queue, priority, head)
}

/** Whether a plain job stands at this place. */
export function isInLine(store: Store, queue: number, priority: number, place: number): boolean {
  const row = store.db.get(findReady, queue, priority, place)
  return row !== undefined && row.rare === 0 && row.last >= place
}

/** Gives the plain job at this place a row of its own. */
export function cutOut(store: Store, queue: number, priority: number, place: number): void {
  const { seq: head, last } = store.db.get(findReady, queue, priority, place)!
  if (head < place) cutAfter(store, queue, priority, head, last, place - 1)
  cutAfter(store, queue, priority, place, last, place)
}
