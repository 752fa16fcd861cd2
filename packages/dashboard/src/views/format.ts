import type { Html } from './html.ts'
import { html } from './html.ts'

const integers = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** `9,312`, then `19.8k`, `1.02M`. */
export function compact(value: number): string {
  if (value < 10_000) return integers.format(value)
  const [size, unit] = value < 999_500 ? [1e3, 'k'] : value < 999_500_000 ? [1e6, 'M'] : [1e9, 'G']
  const scaled = value / size
  return `${scaled < 10 ? scaled.toFixed(2) : scaled < 100 ? scaled.toFixed(1) : Math.round(scaled)}${unit}`
}

export function exact(value: number): string {
  return integers.format(value)
}

/** The exact figure is in the title when it is not in the text. */
export function count(value: number, { isExact = true }: { readonly isExact?: boolean } = {}): Html {
  if (!isExact) return html`<span class="n" title="at least ${exact(value)}">${exact(value)}+</span>`
  if (value < 10_000) return html`<span class="n">${exact(value)}</span>`
  return html`<span class="n" title="${exact(value)}">${compact(value)}</span>`
}

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** Between a figure and its unit: they belong on one line. */
const gap = '\u00a0'

/** `310 ms`, `1.2 s`, `4 min 10 s`, `2 h 3 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1) return `${ms <= 0 ? '0' : '<1'}${gap}ms`
  if (ms < second) return `${Math.round(ms)}${gap}ms`
  if (ms < 9.95 * second) return `${(ms / second).toFixed(1)}${gap}s`
  if (ms < minute - 500) return `${Math.round(ms / second)}${gap}s`
  if (ms < hour - 500) return pair(ms, minute, 'min', second, 's')
  if (ms < day) return pair(ms, hour, 'h', minute, 'min')
  return pair(ms, day, 'd', hour, 'h')
}

function pair(ms: number, big: number, bigUnit: string, small: number, smallUnit: string): string {
  const rounded = Math.round(ms / small) * small
  const rest = Math.round((rounded % big) / small)
  return `${Math.floor(rounded / big)}${gap}${bigUnit}${rest === 0 ? '' : `${gap}${rest}${gap}${smallUnit}`}`
}

/** One unit is enough for how long ago something was: `4 min`, `3 h`, `12 d`. */
export function roughly(ms: number): string {
  if (ms < minute) return `${Math.max(0, Math.round(ms / second))}${gap}s`
  if (ms < hour) return `${Math.floor(ms / minute)}${gap}min`
  if (ms < 2 * day) return `${Math.floor(ms / hour)}${gap}h`
  return `${Math.floor(ms / day)}${gap}d`
}

/** `42/s`, `3.1/min`, `2/h`. */
export function rate(perSecond: number): string {
  if (perSecond === 0) return '0/s'
  if (perSecond >= 1) return `${perSecond < 10 ? trim(perSecond) : compact(Math.round(perSecond))}/s`
  if (perSecond * 60 >= 1) return `${trim(perSecond * 60)}/min`
  return `${trim(perSecond * 3600)}/h`
}

function trim(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '')
}

export function bytes(size: number): string {
  if (size < 1000) return `${size} B`
  if (size < 1e6) return `${trim(size / 1e3)} kB`
  return `${trim(size / 1e6)} MB`
}

export function percent(share: number): string {
  const value = share * 100
  return `${value === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} %`
}

/** English needs two forms: `1 job`, `2 jobs`. */
export function plural(value: number, one: string, many: string = `${one}s`): string {
  return `${compact(value)} ${value === 1 ? one : many}`
}
