import type { NewJob } from '@q/core/storage'

export interface Order {
  /** The places of a list so that parents stand before their children, otherwise as given. */
  readonly places: readonly number[]
  /** Jobs that wait for each other, by place. Invalid, unless one of them is stored already. */
  readonly circles: ReadonlyMap<number, Circle>
}

export interface Circle {
  readonly ids: readonly string[]
  readonly reason: string
}

export function orderByParents(jobs: readonly NewJob[]): Order {
  const circles = new Map<number, Circle>()
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
