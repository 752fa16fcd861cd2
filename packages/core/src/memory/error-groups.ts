import type { JobId, Ms } from '../storage/job.ts'
import type { ErrorGroup } from '../storage/monitor.ts'

interface Group {
  readonly fingerprint: string
  preview: string
  readonly names: Set<string>
  count: number
  readonly firstAt: Ms
  lastAt: Ms
  sample: JobId
  readonly hours: Map<number, number>
}

const hourMs = 3_600_000
const trendHours = 24
const keptMs = 30 * 24 * hourMs

/** Failures by fingerprint. */
export class ErrorGroups {
  readonly #groups = new Map<string, Group>()

  count(error: { readonly fingerprint: string; readonly preview: string }, name: string, job: JobId, at: Ms): void {
    let group = this.#groups.get(error.fingerprint)
    if (group === undefined) {
      const { fingerprint, preview } = error
      group = {
        fingerprint,
        preview,
        names: new Set(),
        count: 0,
        firstAt: at,
        lastAt: at,
        sample: job,
        hours: new Map(),
      }
      this.#groups.set(fingerprint, group)
    }
    group.count++
    group.preview = error.preview
    group.names.add(name)
    group.lastAt = at
    group.sample = job
    const hour = Math.floor(at / hourMs)
    group.hours.set(hour, (group.hours.get(hour) ?? 0) + 1)
    if (group.hours.size > trendHours) group.hours.delete(group.hours.keys().next().value!)
  }

  /** The latest first. */
  all(now: Ms): ErrorGroup[] {
    const thisHour = Math.floor(now / hourMs)
    return [...this.#groups.values()]
      .sort((a, b) => b.lastAt - a.lastAt || (a.fingerprint < b.fingerprint ? 1 : -1))
      .map(({ hours, names, ...group }) => ({
        ...group,
        names: [...names].sort(),
        trend: Array.from({ length: trendHours }, (_, i) => hours.get(thisHour - trendHours + 1 + i) ?? 0),
      }))
  }

  forgetOld(now: Ms): void {
    for (const [fingerprint, group] of this.#groups) {
      if (group.lastAt < now - keptMs) this.#groups.delete(fingerprint)
    }
  }
}
