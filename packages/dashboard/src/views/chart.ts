import type { Html } from './html.ts'
import { html } from './html.ts'

export interface Series {
  readonly name: string
  /** The class that gives it its colour and pattern. */
  readonly className: string
  /** One per column; null = nothing was measured. */
  readonly values: readonly (number | null)[]
}

export interface Chart {
  readonly id: string
  readonly title: string
  readonly labels: readonly string[]
  readonly series: readonly Series[]
  readonly format: (value: number) => string
}

const height = 100
const column = 10

/** Bars on one another. The picture is for the eye; the table behind it says the same in words. */
export function stackedBars(chart: Chart): Html {
  const columns = chart.labels.length
  const totals = chart.labels.map((_, index) => chart.series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0))
  const top = niceTop(Math.max(...totals, 0))
  const bars = chart.labels.map((_, index) => {
    let base = height
    return chart.series.map(({ className, values }) => {
      const size = ((values[index] ?? 0) / top) * height
      if (size === 0) return null
      base -= Math.max(size, 0.8)
      return html`<rect
        class="${className}"
        ${className === 'failed' ? hatched : null}
        x="${index * column + 1}"
        y="${round(base)}"
        width="${column - 2}"
        height="${round(Math.max(size, 0.8))}"
      />`
    })
  })
  return frame(chart, top, html`${bars}`, columns)
}

const hatched: Html = html`fill="url(#hatch)"`

/** Lines over time, broken where nothing was measured. */
export function lines(chart: Chart): Html {
  const columns = chart.labels.length
  const top = niceTop(Math.max(0, ...chart.series.flatMap(({ values }) => values.map((value) => value ?? 0))))
  const paths = chart.series.map(
    ({ className, values }) =>
      html`<path class="line ${className}" d="${pathOf(values, top)}" /><path
          class="dots ${className}"
          d="${dotsOf(values, top)}"
        />`,
  )
  return frame(chart, top, html`${paths}`, columns)
}

/** A trend in a word's height. Its meaning stands beside it, so it says nothing by itself. */
export function sparkline(values: readonly number[], className: string = ''): Html {
  const top = Math.max(1, ...values)
  const bars = values.map((value, index) => {
    const size = value === 0 ? 0 : Math.max(1.5, (value / top) * 18)
    return html`<rect x="${index * 4}" y="${round(20 - size)}" width="3" height="${round(size)}" />`
  })
  return html`<svg
    class="spark ${className}"
    viewBox="0 0 ${values.length * 4} 20"
    aria-hidden="true"
    focusable="false"
  >
    <path class="ground" d="M0 19.5H${values.length * 4}" />
    ${bars}
  </svg>`
}

function frame(chart: Chart, top: number, shapes: Html, columns: number): Html {
  const { id, title, labels, series, format } = chart
  const width = columns * column
  const rules = [0.25, 0.5, 0.75].map((share) => html`<path class="rule" d="M0 ${height * share}H${width}" />`)
  const data = labels.map((label, index) => [label, ...series.map(({ values }) => show(values[index] ?? null, format))])
  return html`<figure class="chart" id="${id}">
    <div class="chart-body">
      <div class="chart-axis" aria-hidden="true">
        <span>${format(top)}</span><span>${format(top / 2)}</span><span>0</span>
      </div>
      <svg
        viewBox="0 0 ${width} ${height}"
        preserveAspectRatio="none"
        role="img"
        aria-label="${title}"
        data-chart="${id}-data"
        tabindex="0"
      >
        ${rules}
        <path class="ground" d="M0 ${height}H${width}" />
        ${shapes}
        <rect class="cursor" x="-20" y="0" width="${column}" height="${height}" />
      </svg>
    </div>
    <div class="chart-labels" aria-hidden="true">${ticks(labels).map((label) => html`<span>${label}</span>`)}</div>
    <figcaption>
      <span class="legend"
        >${series.map(({ name, className }) => html`<span class="key ${className}">${name}</span>`)}</span
      >
      <output class="chart-reading" aria-live="off"></output>
    </figcaption>
    <details class="twin">
      <summary>As a table</summary>
      <div class="scroll" tabindex="0" role="group" aria-label="${title}, as a table">
        <table id="${id}-data">
          <thead>
            <tr>
              <th scope="col">Time</th>
              ${series.map(({ name }) => html`<th scope="col" class="num">${name}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${data.map(
              ([label, ...cells]) =>
                html`<tr>
                  <th scope="row">${label}</th>
                  ${cells.map((cell) => html`<td class="num">${cell}</td>`)}
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </details>
  </figure>`
}

/** Once on every page: failures differ from successes by a pattern too, not by colour alone. */
export const patterns: Html = html`<svg class="defs" aria-hidden="true" focusable="false">
  <defs>
    <pattern id="hatch" width="4" height="4" patternUnits="userSpaceOnUse">
      <rect class="hatch-ground" width="4" height="4" />
      <path class="hatch-line" d="M-1 1L1 -1M0 4L4 0M3 5L5 3" />
    </pattern>
  </defs>
</svg>`

function show(value: number | null, format: (value: number) => string): string {
  return value === null ? '—' : format(value)
}

function pathOf(values: readonly (number | null)[], top: number): string {
  let path = ''
  for (const [index, value] of values.entries()) {
    if (value === null) continue
    path += `${values[index - 1] == null ? 'M' : 'L'}${spot(index, value, top)}`
  }
  return path
}

/** A value between two gaps would be no line at all: it is a line of no length, whose round ends make a dot. */
function dotsOf(values: readonly (number | null)[], top: number): string {
  return values
    .map((value, index) =>
      value === null || values[index - 1] != null || values[index + 1] != null ? '' : `M${spot(index, value, top)}h0`,
    )
    .join('')
}

function spot(index: number, value: number, top: number): string {
  return `${index * column + column / 2} ${round(height - (value / top) * height)}`
}

/** The axis ends at 1, 2 or 5 times a power of ten. */
export function niceTop(value: number): number {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power
}

function ticks(labels: readonly string[]): readonly string[] {
  const count = 5
  return Array.from(
    { length: count },
    (_, index) => labels[Math.round((index * (labels.length - 1)) / (count - 1))] ?? '',
  )
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
