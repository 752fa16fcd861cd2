/** The column under the pointer, read from the table that stands behind the picture. */
export function startCharts(): void {
  document.addEventListener('pointermove', (event) => {
    const chart = chartOf(event.target)
    if (chart === null) return
    const { left, width } = chart.getBoundingClientRect()
    read(chart, Math.floor(((event.clientX - left) / width) * rowsOf(chart).length))
  })
  document.addEventListener('pointerout', (event) => {
    const chart = chartOf(event.target)
    if (chart !== null && !chart.contains(event.relatedTarget as Node | null)) leave(chart)
  })
  document.addEventListener('focusout', ({ target }) => {
    const chart = chartOf(target)
    if (chart !== null) leave(chart)
  })
  document.addEventListener('keydown', (event) => {
    const chart = chartOf(event.target)
    if (chart === null || (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight')) return
    event.preventDefault()
    const count = rowsOf(chart).length
    const at = Number(chart.dataset['at'] ?? count)
    read(chart, at + (event.key === 'ArrowRight' ? 1 : -1))
  })
}

function chartOf(target: EventTarget | null): SVGSVGElement | null {
  return target instanceof Element ? target.closest<SVGSVGElement>('svg[data-chart]') : null
}

function rowsOf(chart: SVGSVGElement): HTMLTableRowElement[] {
  return [...document.querySelectorAll<HTMLTableRowElement>(`#${chart.dataset['chart']} tbody tr`)]
}

function read(chart: SVGSVGElement, wanted: number): void {
  const rows = rowsOf(chart)
  const at = Math.max(0, Math.min(rows.length - 1, wanted))
  const row = rows[at]
  if (row === undefined) return
  const heads = [...row.closest('table')!.tHead!.rows[0]!.cells].map(({ textContent }) => textContent)
  const cells = [...row.cells].map(({ textContent }) => textContent)
  chart.dataset['at'] = String(at)
  chart.querySelector('.cursor')?.setAttribute('x', String(at * 10))
  chart.classList.add('read')
  const reading = chart.closest('figure')?.querySelector('output')
  if (reading != null)
    reading.textContent = `${cells[0]}  ${cells
      .slice(1)
      .map((cell, index) => `${heads[index + 1]} ${cell}`)
      .join(' · ')}`
}

function leave(chart: SVGSVGElement): void {
  chart.classList.remove('read')
  delete chart.dataset['at']
  const reading = chart.closest('figure')?.querySelector('output')
  if (reading != null) reading.textContent = ''
}
