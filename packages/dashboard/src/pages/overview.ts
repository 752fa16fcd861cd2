import { percentile } from '@q/core/storage'
import { type Activity, ranges, readActivity, readRange } from '../reads/activity.ts'
import { type Health, readHealth } from '../reads/health.ts'
import { countOf, type JobStateName } from '../search/job-states.ts'
import { lines, sparkline, stackedBars } from '../views/chart.ts'
import { count, duration, exact, plural } from '../views/format.ts'
import type { Fragment, Html } from '../views/html.ts'
import { html } from '../views/html.ts'
import type { Page } from '../views/page.ts'
import { region } from '../views/page.ts'
import { choice, empty, heading, panel, snippet } from '../views/parts.ts'
import { glyphs, titles } from '../views/state.ts'
import type { Visit } from '../visit.ts'

/** One look says whether work flows. */
export async function overviewPage(visit: Visit): Promise<Page> {
  const { reader } = visit.site
  const range = readRange(visit.query.get('range'))
  const health = await readHealth(reader)
  const [activity, recurring] = await Promise.all([
    readActivity(reader, health.at, range),
    reader.recurring({ limit: 100 }),
  ])
  const hasJobs = Object.values(health.counts.byPhase).some((n) => n > 0)
  const next = recurring.items
    .filter(({ nextAt, paused }) => nextAt !== null && paused === undefined)
    .sort((a, b) => a.nextAt!.getTime() - b.nextAt!.getTime())
    .slice(0, 6)
  return {
    title: 'Overview',
    isLive: true,
    regions: [
      region('health', healthLine(visit, health), 'health'),
      ...(hasJobs || recurring.items.length > 0 ? [] : [region('welcome', welcome())]),
      region('tiles', tiles(visit, health), 'tiles'),
      region('activity', charts(visit, activity), 'grid-2'),
      region(
        'lists',
        html`${queuesPanel(visit, health)}${errorsPanel(visit, health)}${panel(
          'Next recurring runs',
          next.length === 0
            ? empty(
                'Nothing recurs yet.',
                html`<p>Recurring jobs appear here once <code>client.recurring.put</code> made one.</p>`,
              )
            : html`<ul class="rows">
                ${next.map(
                  ({ id, nextAt }) =>
                    html`<li>
                      <a href="${visit.to(`/recurring/${encodeURIComponent(id)}`)}">${id}</a
                      ><span class="spacer"></span>${visit.times.relative(nextAt!)}
                    </li>`,
                )}
              </ul>`,
          html`<a class="more" href="${visit.to('/recurring')}">All</a>`,
        )}`,
        'grid-3',
      ),
    ],
  }
}

function healthLine(visit: Visit, health: Health): Html {
  const { isHealthy, sentence, problems } = health
  const word = isHealthy
    ? 'Healthy.'
    : problems.length === 1
      ? 'One thing needs attention.'
      : `${problems.length} things need attention.`
  return html`${heading('Overview')}
    <p class="sentence ${isHealthy ? 'good' : 'warn'}">
      <span class="glyph" aria-hidden="true">${isHealthy ? '●' : '▲'}</span
      ><span><strong>${word}</strong> ${sentence}</span>
    </p>
    ${
      problems.length === 0
        ? null
        : html`<ul class="problems">
            ${problems.slice(0, 6).map(({ message, path }) => html`<li><a href="${visit.to(path)}">${visit.redact.text(message)}</a></li>`)}
          </ul>`
    }`
}

const tileStates: readonly JobStateName[] = ['enqueued', 'processing', 'scheduled', 'retrying', 'failed', 'succeeded']

function tiles(visit: Visit, { counts, slots, servers }: Health): Html {
  const shown = tileStates.map((state) => ({ state, value: countOf(state, counts) }))
  return html`<ul class="tile-row">
    ${shown.map(
      ({ state, value }) =>
        html`<li>
          <a class="tile ${state}" href="${visit.to(`/jobs?q=state:${state}`)}">
            <span class="tile-name"
              ><span class="glyph" aria-hidden="true">${glyphs[state]}</span>${titles[state]}</span
            >
            <span class="tile-value">${count(value, { isExact: counts.exact || value < 10_000 })}</span>
            <span class="tile-note">${noteOf(state, counts, slots, servers)}</span></a
          >
        </li>`,
    )}
  </ul>`
}

function noteOf(state: JobStateName, counts: Health['counts'], slots: Health['slots'], servers: number): Fragment {
  switch (state) {
    case 'processing':
      return servers === 0 ? 'no server' : `of ${exact(slots.total)} slots`
    case 'scheduled':
      return counts.retrying === 0 ? 'for later' : `${exact(counts.retrying)} to retry`
    case 'enqueued':
      return counts.byPhase.parked === 0 ? 'ready to run' : `${exact(counts.byPhase.parked)} parked`
    case 'retrying':
      return 'after a failure'
    case 'failed':
      return 'for good'
    default:
      return 'still kept'
  }
}

function charts(visit: Visit, activity: Activity): Html {
  const { points, range, pointMs } = activity
  const labels = points.map(({ at }) => visit.times.label(at, pointMs >= 86_400_000 ? 'date' : 'time'))
  const done = points.reduce((sum, { ok, failed }) => sum + ok + failed, 0)
  const throughput = stackedBars({
    id: 'throughput',
    title: `Jobs finished, last ${range}`,
    labels,
    series: [
      { name: 'Succeeded', className: 'succeeded', values: points.map(({ ok }) => ok) },
      { name: 'Failed', className: 'failed', values: points.map(({ failed }) => failed) },
      { name: 'To retry', className: 'retrying', values: points.map(({ retried }) => retried) },
    ],
    format: (value) => exact(Math.round(value)),
  })
  const times = lines({
    id: 'durations',
    title: `Wait and run, 95th percentile, last ${range}`,
    labels,
    series: [
      { name: 'Wait p95', className: 'wait', values: points.map(({ waitMs }) => percentile(waitMs, 0.95)) },
      { name: 'Run p95', className: 'run', values: points.map(({ runMs }) => percentile(runMs, 0.95)) },
    ],
    format: duration,
  })
  const pick = choice(
    'Range',
    ranges.map((name) => ({ text: name, href: visit.to(`/?range=${name}`), isCurrent: name === range })),
  )
  return html`${panel(html`Finished <small>${plural(done, 'job')}</small>`, throughput, pick)}${panel(html`Wait and run <small>95th percentile</small>`, times)}`
}

function queuesPanel(visit: Visit, { queues }: Health): Html {
  const rows = queues.slice(0, 6)
  const body =
    rows.length === 0
      ? empty('No queues yet.', html`<p>A queue appears with its first job.</p>`)
      : html`<ul class="rows">
          ${rows.map(
            (queue) =>
              html`<li>
                <a href="${visit.to(`/queues/${encodeURIComponent(queue.name)}`)}">${queue.name}</a
                >${queue.paused ? html`<span class="chip small retrying">paused</span>` : queue.isUnserved ? html`<span class="chip small failed">no server</span>` : null}<span
                  class="spacer"
                ></span
                ><span class="figure">${count(queue.ready)}</span
                ><span class="figure wide quiet"
                  >${queue.oldestReadyAt === undefined ? 'idle' : visit.times.since(queue.oldestReadyAt)}</span
                >
              </li>`,
          )}
        </ul>`
  return panel(
    html`Queues <small>longest wait first</small>`,
    body,
    html`<a class="more" href="${visit.to('/queues')}">All</a>`,
  )
}

function errorsPanel(visit: Visit, { errors }: Health): Html {
  const body =
    errors.length === 0
      ? empty('No errors.', html`<p>Failures are grouped here by what went wrong.</p>`)
      : html`<ul class="rows">
          ${errors.map(
            ({ fingerprint, preview, count: times, trend }) =>
              html`<li>
                <a class="cut" href="${visit.to(`/errors/${fingerprint}`)}">${visit.redact.text(preview)}</a
                ><span class="spacer"></span>${sparkline(trend, 'failed')}<span class="figure">${count(times)}</span>
              </li>`,
          )}
        </ul>`
  return panel(
    html`Errors <small>newest first</small>`,
    body,
    html`<a class="more" href="${visit.to('/errors')}">All</a>`,
  )
}

function welcome(): Html {
  return panel(
    'No job yet',
    html`<div class="pad">
      <p>Define a job, enqueue it, and run it. It appears here within a second.</p>
      ${snippet(firstJob)}
    </div>`,
  )
}

export const firstJob: string = `const hello = defineJob({
  name: 'hello',
  run: (input: { name: string }) => \`hello \${input.name}\`,
})

await client.enqueue(hello, { name: 'world' })
await createServer({ storage, jobs: [hello] }).start()`
