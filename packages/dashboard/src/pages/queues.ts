import { percentile } from '@q/core/storage'
import { Problem } from '../problem.ts'
import { ranges, readActivity, readRange } from '../reads/activity.ts'
import { type QueueRow, readQueueRows } from '../reads/queue-rows.ts'
import { lines, stackedBars } from '../views/chart.ts'
import { count, duration, exact, plural, rate } from '../views/format.ts'
import type { Fragment, Html } from '../views/html.ts'
import { html } from '../views/html.ts'
import { jobTable } from '../views/job-table.ts'
import type { Page } from '../views/page.ts'
import { region } from '../views/page.ts'
import { actionButton, askButton, choice, empty, facts, heading, panel, snippet } from '../views/parts.ts'
import type { Visit } from '../visit.ts'
import { segment } from '../visit.ts'
import { quoted } from './job.ts'

/** How long jobs wait says more than how many there are. */
export async function queuesPage(visit: Visit): Promise<Page> {
  const rows = await readQueueRows(visit.site.reader)
  return {
    title: 'Queues',
    isLive: true,
    regions: [
      region('queues-head', heading('Queues', null, 'The one whose oldest job waits longest stands first.')),
      region(
        'queues-list',
        rows.length === 0
          ? html`<div class="panel">
              ${empty(
                'There is no queue yet.',
                html`<p>A queue appears with its first job: name it in the job's definition.</p>
                  ${snippet("defineJob({ name: 'mail.send', queue: 'mail', … })")}`,
              )}
            </div>`
          : html`<div class="panel scroll" tabindex="0" role="group" aria-label="Queues">
              <table class="stack">
                <caption class="hush">
                  Queues
                </caption>
                <thead>
                  <tr>
                    <th scope="col">Queue</th>
                    <th scope="col" class="num">Waiting</th>
                    <th scope="col" class="num">Oldest waits</th>
                    <th scope="col" class="num">In</th>
                    <th scope="col" class="num">Out</th>
                    <th scope="col" class="num">Running</th>
                    <th scope="col" class="num">Later</th>
                    <th scope="col" class="num">Empty in</th>
                    <th scope="col"><span class="hush">Actions</span></th>
                  </tr>
                </thead>
                <tbody>
                  ${rows.map((row) => tableRow(visit, row))}
                </tbody>
              </table>
            </div>`,
      ),
    ],
  }
}

function tableRow(visit: Visit, row: QueueRow): Html {
  const at = `/queues/${segment(row.name)}`
  const isLate = row.latencyMs > 60_000
  return html`<tr id="q-${segment(row.name)}">
    <td class="what"><a href="${visit.to(at)}">${row.name}</a> ${flags(visit, row)}</td>
    <td class="num" data-label="Waiting">
      <a class="quiet" href="${visit.to(`/jobs?q=${encodeURIComponent(`state:enqueued queue:${quoted(row.name)}`)}`)}"
        >${count(row.ready)}</a
      >
    </td>
    <td class="num ${isLate ? 'warn-text' : ''}" data-label="Oldest waits">
      ${row.oldestReadyAt === undefined ? html`<span class="none">—</span>` : html`${isLate ? '▲ ' : null}${visit.times.since(row.oldestReadyAt)}`}
    </td>
    <td class="num" data-label="In">${rate(row.inPerSecond)}</td>
    <td class="num" data-label="Out">${rate(row.outPerSecond)}</td>
    <td class="num" data-label="Running">
      ${row.active}${row.maxActive === undefined ? null : html`<span class="quiet">/${row.maxActive}</span>`}
    </td>
    <td class="num" data-label="Later">${count(row.scheduled)}</td>
    <td class="num" data-label="Empty in">${drain(row)}</td>
    <td class="actions-cell">${pauseButtons(visit, row, 'small')}</td>
  </tr>`
}

function flags(visit: Visit, row: QueueRow): Fragment {
  if (row.paused)
    return html`<span class="chip small retrying" title="${visit.redact.text(pauseText(row))}">paused</span>`
  return row.isUnserved && html`<span class="chip small failed">no server</span>`
}

function pauseText({ paused }: QueueRow): string {
  return [paused?.by === undefined ? undefined : `by ${paused.by}`, paused?.reason]
    .filter((part) => part !== undefined)
    .join(': ')
}

function drain(row: QueueRow): Fragment {
  if (row.ready === 0) return html`<span class="none">—</span>`
  return row.drainMs === null ? html`<span class="warn-text">not yet</span>` : duration(row.drainMs)
}

function pauseButtons(visit: Visit, row: QueueRow, className: string): Fragment {
  if (!visit.may('queues.pause', { queue: row.name })) return null
  const at = visit.to(`/queues/${segment(row.name)}`)
  return row.paused
    ? actionButton(`${at}/resume`, 'Resume', { className, label: `Resume ${row.name}` })
    : askButton(`${at}/pause`, 'Pause…', className)
}

export async function queuePage(visit: Visit): Promise<Page> {
  const { reader } = visit.site
  const name = visit.params['name']!
  const row = (await readQueueRows(reader)).find((queue) => queue.name === name)
  if (row === undefined) throw new Problem(404, 'not-found', 'There is no such queue: no job was ever put into it.')
  const range = readRange(visit.query.get('range'))
  const [activity, head] = await Promise.all([
    readActivity(reader, visit.times.now, range, { by: 'queue', key: name }),
    reader.jobs({ phase: ['ready'], queue: [name] }, { limit: 20, order: 'claim' }),
  ])
  const labels = activity.points.map(({ at }) =>
    visit.times.label(at, activity.pointMs >= 86_400_000 ? 'date' : 'time'),
  )
  const throughput = stackedBars({
    id: 'queue-throughput',
    title: `Jobs of ${name} finished, last ${range}`,
    labels,
    series: [
      { name: 'Succeeded', className: 'succeeded', values: activity.points.map(({ ok }) => ok) },
      { name: 'Failed', className: 'failed', values: activity.points.map(({ failed }) => failed) },
      { name: 'To retry', className: 'retrying', values: activity.points.map(({ retried }) => retried) },
    ],
    format: (value) => exact(Math.round(value)),
  })
  const waits = lines({
    id: 'queue-wait',
    title: `Wait of ${name}, last ${range}`,
    labels,
    series: [
      { name: 'p50', className: 'run', values: activity.points.map(({ waitMs }) => percentile(waitMs, 0.5)) },
      { name: 'p95', className: 'wait', values: activity.points.map(({ waitMs }) => percentile(waitMs, 0.95)) },
    ],
    format: duration,
  })
  const pick = choice(
    'Range',
    ranges.map((one) => ({
      text: one,
      href: visit.to(`/queues/${segment(name)}?range=${one}`),
      isCurrent: one === range,
    })),
  )
  return {
    title: name,
    isLive: true,
    regions: [
      region(
        'queue-head',
        html`${heading(html`${name} ${flags(visit, row)}`, html`${pauseButtons(visit, row, '')}${visit.may('queues.limit', { queue: name }) ? askButton(visit.to(`/queues/${segment(name)}/limits`), 'Limits…') : null}`)}${row.paused ? html`<p class="sentence warn"><span class="glyph" aria-hidden="true">⏸</span><span>Paused ${visit.times.relative(row.paused.at)} ${visit.redact.text(pauseText(row))}${row.paused.until === undefined ? null : html`, until ${visit.times.toMinute(row.paused.until)}`}.</span></p>` : null}`,
      ),
      region(
        'queue-facts',
        html`<div class="panel">
          ${facts([
            ['Waiting', count(row.ready)],
            ['Oldest waits', row.oldestReadyAt === undefined ? '—' : visit.times.since(row.oldestReadyAt)],
            ['In', rate(row.inPerSecond)],
            ['Out', rate(row.outPerSecond)],
            ['Empty in', drain(row)],
            ['Running', html`${row.active}${row.maxActive === undefined ? null : ` of ${row.maxActive}`}`],
            ['Rate limit', row.rate ? `${row.rate.max} per ${duration(row.rate.per)}` : 'none'],
            [
              'Servers',
              row.servers === 0 ? html`<span class="warn-text">none listens</span>` : plural(row.servers, 'server'),
            ],
          ])}
        </div>`,
        'fact-row',
      ),
      region('queue-activity', html`${panel('Finished', throughput, pick)}${panel('Wait', waits)}`, 'grid-2'),
      region(
        'queue-jobs',
        panel(
          html`Next to run <small>in the order of their claim</small>`,
          head.items.length === 0
            ? empty('Nothing waits here.', html`<p>Whatever is enqueued is taken at once.</p>`)
            : html`<div class="scroll" tabindex="0" role="group" aria-label="Next to run">
                ${jobTable(visit, head.items, ['priority', 'tags', 'created', 'since'], { caption: 'Next to run' })}
              </div>`,
          html`<a class="more" href="${visit.to(`/jobs?q=${encodeURIComponent(`queue:${quoted(name)}`)}`)}"
            >All jobs of this queue</a
          >`,
        ),
      ),
    ],
  }
}
