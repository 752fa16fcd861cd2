import { expect, test } from 'vitest'
import { lines, niceTop, stackedBars } from './chart.ts'

test('the axis ends at a round number above the highest value', () => {
  expect([0, 0.3, 1, 1.1, 3, 7, 49, 51, 1234].map(niceTop)).toEqual([1, 0.5, 1, 2, 5, 10, 50, 100, 2000])
})

test('a chart and its table say the same', () => {
  const chart = {
    id: 'c',
    title: 'Done',
    labels: ['10:00', '10:01'],
    series: [
      { name: 'Ok', className: 'succeeded', values: [3, 0] },
      { name: 'Failed', className: 'failed', values: [1, null] },
    ],
    format: String,
  }
  const text = String(stackedBars(chart))
  expect([...text.matchAll(/<rect class="(?:succeeded|failed)"/g)]).toHaveLength(2)
  const cells = [...text.matchAll(/<t[hd][^>]*>([^<]*)<\/t[hd]>/g)].map(([, cell]) => cell)
  expect(cells).toEqual(['Time', 'Ok', 'Failed', '10:00', '3', '1', '10:01', '0', '—'])
  expect(text).toContain('fill="url(#hatch)"')
})

test('a line breaks where nothing was measured, and a lonely value is a dot', () => {
  const text = String(
    lines({
      id: 'c',
      title: 'p95',
      labels: ['a', 'b', 'c', 'd'],
      series: [{ name: 'p95', className: 'run', values: [1, 2, null, 2] }],
      format: String,
    }),
  )
  expect(/class="line run" d="([^"]+)"/.exec(text)![1]).toBe('M5 50L15 0M35 0')
  expect(/class="dots run" d="([^"]+)"/.exec(text)![1]).toBe('M35 0h0')
})
