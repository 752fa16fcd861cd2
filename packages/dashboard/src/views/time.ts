import { roughly } from './format.ts'
import type { Html } from './html.ts'
import { html } from './html.ts'

/**
 * Times as the viewer reads them. All go out as `<time datetime>`: the script keeps relative ones going, so that a page
 * needs no new answer because a second has passed.
 */
export interface Times {
  readonly zone: string
  readonly now: number
  /** `4 min ago`, `in 2 h`; the absolute time is in the title. */
  relative(at: Date | number): Html
  /** How long something has lasted, growing: `14 min`. */
  since(at: Date | number): Html
  /** `2026-11-21 07:54:02.120`, to the millisecond. */
  precise(at: Date | number): Html
  /** `2026-11-21 07:54`. */
  toMinute(at: Date | number): Html
  /** `07:54:02.120`. */
  clock(at: Date | number): Html
  /** For the labels of a chart. */
  label(at: Date | number, step: 'time' | 'date'): string
}

export function createTimes(zone: string, now: number): Times {
  const parts = partsIn(zone)
  const text = (at: Date | number, digits: 'minute' | 'second' | 'ms'): string => {
    const p = parts(at)
    const seconds = digits === 'minute' ? '' : `:${p.second}${digits === 'ms' ? `.${milliseconds(at)}` : ''}`
    return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}${seconds}`
  }
  const title = (at: Date | number): string => `${text(at, 'ms')} ${zone}`
  const tag = (at: Date | number, kind: string, shown: string): Html =>
    html`<time datetime="${iso(at)}" data-t="${kind}" title="${title(at)}">${shown}</time>`
  return {
    zone,
    now,
    relative: (at) => tag(at, 'relative', relativeText(Number(at) - now)),
    since: (at) => tag(at, 'since', roughly(now - Number(at))),
    precise: (at) => tag(at, 'fixed', text(at, 'ms')),
    toMinute: (at) => tag(at, 'fixed', text(at, 'minute')),
    clock: (at) => tag(at, 'fixed', text(at, 'ms').slice(11)),
    label(at, step) {
      const p = parts(at)
      return step === 'time' ? `${p.hour}:${p.minute}` : `${p.day} ${monthNames[Number(p.month) - 1]}`
    },
  }
}

const monthNames = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

function relativeText(deltaMs: number): string {
  if (Math.abs(deltaMs) < 1000) return 'now'
  return deltaMs < 0 ? `${roughly(-deltaMs)} ago` : `in ${roughly(deltaMs)}`
}

function iso(at: Date | number): string {
  return new Date(at).toISOString()
}

function milliseconds(at: Date | number): string {
  return String(new Date(at).getMilliseconds()).padStart(3, '0')
}

const formats = new Map<string, Intl.DateTimeFormat>()

function partsIn(zone: string): (at: Date | number) => Record<string, string> {
  let format = formats.get(zone)
  if (format === undefined) {
    const two = '2-digit'
    const fields = { year: 'numeric', month: two, day: two, hour: two, minute: two, second: two } as const
    format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hourCycle: 'h23', ...fields })
    formats.set(zone, format)
  }
  const chosen = format
  return (at) => Object.fromEntries(chosen.formatToParts(at).map(({ type, value }) => [type, value]))
}

/** The zone of a cookie or an option, if the platform knows it. */
export function knownZone(name: string | undefined): string | null {
  if (name === undefined || !/^[\w+/-]{1,64}$/.test(name)) return null
  try {
    return new Intl.DateTimeFormat('en-GB', { timeZone: name }).resolvedOptions().timeZone
  } catch {
    return null
  }
}
