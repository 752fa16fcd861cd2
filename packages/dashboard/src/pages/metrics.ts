import { percentile } from '@q/core/storage'
import { type Point, ranges, readRange, readTotals } from '../reads/activity.ts'
import { count, duration, percent } from '../views/format.ts'
import type { Fragment, Html } from '../views/html.ts'
import { html } from '../views/html.ts'
import type { Page } from '../views/page.ts'
import { region } from '../views/page.ts'
import { bar, choice, empty, heading } from '../views/parts.ts'
import type { Visit } from '../visit.ts'
import { segment } from '../visit.ts'
import { quoted } from './job.ts'

export interface MetricRow {
  readonly key: string
  readonly runs: number
  readonly failedShare: number
  readonly run: readonly [number | null, number | null, number | null]
  readonly waitP95: number | null
  /** All runs together, estimated from the histogram. */
  readonly totalMs: number
}

/** Which kinds and queues take the time, and which fail. */
export async function metricsPage(visit: Visit): Promise<Page> {
  const range = readRange(visit.query.get('range'), '24h')
  const by = visit.query.get('by') === 'queue' ? 'queue' : 'name'
  const totals = await readTotals(visit.site.reader, visit.times.now, range, by)
  const rows = metricRows(totals)
  const link = (changes: Record<string, string>): string =>
    visit.to(`/metrics?${new URLSearchParams({ by: by === 'name' ? 'kind' : by, range, ...changes })}`)
  return {
    title: 'Metrics',
    isLive: true,
    regions: [
      region(
        'metrics-head',
        heading(
          'Metrics',
          html`${choice('By', [
            { text: 'Kind', href: link({ by: 'kind' }), isCurrent: by === 'name' },
            { text: 'Queue', href: link({ by: 'queue' }), isCurrent: by === 'queue' },
          ])}${choice(
            'Range',
            ranges.map((one) => ({ text: one, href: link({ range: one }), isCurrent: one === range })),
          )}`,
          'Percentiles are merged from histograms, never averaged. What takes most time stands first.',
        ),
      ),
      region(
        'metrics-list',
        rows.length === 0
          ? html`<div class="panel">
              ${empty('Nothing has run in this time.', html`<p>Choose a longer range, or wait for the first job to finish.</p>`)}
            </div>`
          : html`<div class="panel scroll" tabindex="0" role="group" aria-label="Metrics">
              <table class="stack">
                <caption class="hush">
                  Runs by ${by === 'name' ? 'kind' : 'queue'}
                </caption>
                <thead>
                  <tr>
                    <th scope="col">${by === 'name' ? 'Kind' : 'Queue'}</th>
                    <th scope="col" class="num">Runs</th>
                    <th scope="col" class="num">Failed</th>
                    <th scope="col" class="num">Run p50</th>
                    <th scope="col" class="num">p95</th>
                    <th scope="col" class="num">p99</th>
                    <th scope="col" class="num">Wait p95</th>
                    <th scope="col" class="num">Total time</th>
                    <th scope="col" class="share"><span class="hush">Share of all time</span></th>
                  </tr>
                </thead>
                <tbody>
                  ${rows.slice(0, 200).map((row) => tableRow(visit, row, by, rows[0]!.totalMs))}
                </tbody>
              </table>
            </div>`,
      ),
    ],
  }
}

export function metricRows(totals: ReadonlyMap<string, Point>): readonly MetricRow[] {
  return [...totals]
    .map(([key, { ok, failed, retried, runMs, waitMs }]): MetricRow => {
      const runs = ok + failed + retried
      return {
        key,
        runs,
        failedShare: runs === 0 ? 0 : (failed + retried) / runs,
        run: [percentile(runMs, 0.5), percentile(runMs, 0.95), percentile(runMs, 0.99)],
        waitP95: percentile(waitMs, 0.95),
        totalMs: totalOf(runMs),
      }
    })
    .filter(({ runs }) => runs > 0)
    .sort((a, b) => b.totalMs - a.totalMs || b.runs - a.runs)
}

/** Each bucket counts with its middle. */
function totalOf(histogram: readonly number[]): number {
  return histogram.reduce((sum, n, index) => sum + n * (index === 0 ? 0.5 : 2 ** ((index - 0.5) / 4)), 0)
}

function tableRow(visit: Visit, row: MetricRow, by: 'name' | 'queue', most: number): Html {
  const href =
    by === 'name' ? `/jobs?q=${encodeURIComponent(`kind:${quoted(row.key)}`)}` : `/queues/${segment(row.key)}`
  return html`<tr>
    <td class="what"><a href="${visit.to(href)}">${row.key}</a></td>
    <td class="num" data-label="Runs">${count(row.runs)}</td>
    <td class="num ${row.failedShare > 0.05 ? 'bad-text' : ''}" data-label="Failed">${percent(row.failedShare)}</td>
    ${row.run.map((ms, index) => html`<td class="num" data-label="Run ${['p50', 'p95', 'p99'][index]}">${time(ms)}</td>`)}
    <td class="num" data-label="Wait p95">${time(row.waitP95)}</td>
    <td class="num" data-label="Total time">${duration(row.totalMs)}</td>
    <td class="share">${bar(row.totalMs / Math.max(1, most))}</td>
  </tr>`
}

function time(ms: number | null): Fragment {
  return ms === null ? html`<span class="none">—</span>` : duration(ms)
}
