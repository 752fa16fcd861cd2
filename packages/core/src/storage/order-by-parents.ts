import type { NewJob } from './job.ts'

/** How the jobs of one list hang together. */
export interface ParentOrder {
  /** The places of a list so that parents stand before their children, otherwise as given. */
  readonly places: readonly number[]
  /** Jobs that wait for each other, by place. Invalid, unless one of them is stored already. */
  readonly circles: ReadonlyMap<number, JobCircle>
}

export interface JobCircle {
  readonly ids: readonly string[]
  readonly reason: string
}

/** For storages that are sent a list as a whole, and cannot look up a parent while they order it. */
export function orderByParents(jobs: readonly NewJob[]): ParentOrder {
  const circles = new Map<number, JobCircle>()
  const places = new Map<string, number>()
  for (const [index, job] of jobs.entries()) if (!places.has(job.id)) places.set(job.id, index)
  const order: number[] = []
  const state = new Uint8Array(jobs.length)
  const [open, done] = [1, 2]

  for (const start of jobs.keys()) {
    if (state[start] !== 0) continue
    const path: { index: number; next: number }[] = [{ index: start, next: 0 }]
    state[start] = open
    while (path.length > 0) {
      const step = path.at(-1)!
      const edge = jobs[step.index]!.after?.[step.next++]
      if (!edge) {
        state[step.index] = done
        order.push(step.index)
        path.pop()
        continue
      }
      const parent = places.get(edge.parent)
      if (parent === undefined || state[parent] === done) continue
      if (state[parent] === open) {
        const circle = path.slice(path.findIndex(({ index }) => index === parent)).map(({ index }) => index)
        const names = [...circle, parent].map((index) => jobs[index]!.id).join(' → ')
        const found = {
          ids: circle.map((index) => jobs[index]!.id),
          reason: `these jobs wait for each other: ${names}`,
        }
        for (const index of circle) if (!circles.has(index)) circles.set(index, found)
        continue
      }
      state[parent] = open
      path.push({ index: parent, next: 0 })
    }
  }
  return { places: order, circles }
}
