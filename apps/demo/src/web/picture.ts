import type { Print } from '../shop/catalogue.ts'
import { type Html, html } from './html.ts'

const width = 240
const height = 216

/** A print, drawn: a sky, a sun, and three rows of hills whose shape is the print's own. */
export function picture({ id, title, colours, seed }: Print): Html {
  const [sky, far, near, ground] = colours
  const hills = [far, near, ground].map(
    (colour, row) => html`<path fill="${colour}" d="${ridge(seed + row * 17, 104 + row * 37, 30 - row * 6)}" />`,
  )
  return html`<svg class="picture" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
    <defs>
      <linearGradient id="sky-${id}" x1="0" y1="0" x2="0" y2="1">
        <stop offset="0" stop-color="${sky}" />
        <stop offset="1" stop-color="${far}" />
      </linearGradient>
    </defs>
    <rect width="${width}" height="${height}" fill="url(#sky-${id})" />
    <circle cx="${60 + ((seed * 37) % 120)}" cy="${46 + ((seed * 13) % 40)}" r="20" fill="#fff" fill-opacity=".72" />
    ${hills}
  </svg>`
}

/** Three waves added up make a line that looks like land. */
function ridge(seed: number, base: number, swing: number): string {
  const points: string[] = []
  for (let x = 0; x <= width; x += 6) {
    const y =
      base +
      swing * 0.6 * Math.sin(x / 43 + seed) +
      swing * 0.3 * Math.sin(x / 19 + seed * 2.3) +
      swing * 0.12 * Math.sin(x / 7 + seed * 5.1)
    points.push(`${x} ${y.toFixed(1)}`)
  }
  return `M0 ${height} L${points.join(' L')} L${width} ${height} Z`
}
