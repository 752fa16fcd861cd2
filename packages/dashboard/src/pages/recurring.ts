import type { RecurringJob } from '@q/core'
import type { RecurringRun } from '@q/core/storage'
import { Problem } from '../problem.ts'
import { duration } from '../views/format.ts'
import { dataView } from '../views/data.ts'
import type { Fragment, Html } from '../views/html.ts'
import { html } from '../views/html.ts'
import type { Page } from '../views/page.ts'
import { region } from '../views/page.ts'
import { actionButton, askButton, empty, facts, heading, panel, snippet } from '../views/parts.ts'
import { glyphs, lookOf, stateChip, titles } from '../views/state.ts'
import { createTimes } from '../views/time.ts'
import type { Visit } from '../visit.ts'
import { segment } from '../visit.ts'
import { quoted, shortId } from './job.ts'

export async function recurringPage(visit: Visit): Promise<Page> {
  const { reader } = visit.site
  const cursor = visit.query.get('after') ?? undefined
  const list = await reader.recurring({ limit: 50, cursor })
  const runs = await Promise.all(list.items.map(({ id }) => reader.runs(id, 12)))
  return {
    title: 'Recurring',
    isLive: cursor === undefined,
    regions: [
      region('recurring-head', heading('Recurring', null, 'Jobs that are made by the calendar.')),
      region(
        'recurring-list',
        list.items.length === 0
          ? html`<div class="panel">
              ${empty(
                'Nothing recurs yet.',
                html`<p>Give a job a schedule, and its runs and their outcome are kept here.</p>
                  ${snippet("await client.recurring.put('nightly-report', {\n  job: report,\n  cron: '0 3 * * *',\n  timeZone: 'Europe/Berlin',\n})")}`,
              )}
            </div>`
          : html`<ul class="cards">
                ${list.items.map((job, index) => card(visit, job, runs[index]!))}
              </ul>
              ${list.next === undefined ? null : html`<div class="pager"><a class="button small" href="${visit.to(`/recurring?after=${encodeURIComponent(list.next)}`)}">Further ›</a></div>`}`,
      ),
    ],
  }
}

function card(visit: Visit, job: RecurringJob, runs: readonly RecurringRun[]): Html {
  const last = runs[0]
  return html`<li class="panel card" id="rj-${segment(job.id)}">
    <div class="card-main">
      <a class="card-title" href="${visit.to(`/recurring/${segment(job.id)}`)}"
        ><strong>${job.id}</strong>
        ${job.paused === undefined ? null : html`<span class="chip small retrying">paused</span>`}</a
      >
      <p>${job.words}${zoneNote(job)} <code class="quiet">${scheduleText(job)}</code></p>
      ${job.error === undefined ? null : html`<p class="warn-text">${visit.redact.text(job.error)}</p>`}
    </div>
    <div class="card-trend" title="The last runs, the latest on the right">${runDots(visit, runs)}</div>
    <div class="card-count">
      <span>${nextText(visit, job)}</span
      ><span class="quiet"
        >${last === undefined ? 'never ran' : html`last ${visit.times.relative(last.at)}${last.ranMs === undefined ? null : `, ${duration(last.ranMs)}`}`}</span
      >
    </div>
    <div class="actions">${buttons(visit, job, 'small')}</div>
  </li>`
}

function nextText(visit: Visit, job: RecurringJob): Fragment {
  if (job.paused !== undefined) return html`<span class="quiet">paused</span>`
  return job.nextAt === null
    ? html`<span class="quiet">never again</span>`
    : html`next ${visit.times.relative(job.nextAt)}`
}

function zoneNote({ schedule }: RecurringJob): string {
  return schedule.cron === undefined ? '' : ` ${schedule.timeZone ?? 'UTC'}`
}

export function scheduleText({ schedule }: RecurringJob): string {
  return schedule.cron ?? `every ${typeof schedule.every === 'number' ? duration(schedule.every) : schedule.every}`
}

/** Oldest first, like every other trend. */
function runDots(visit: Visit, runs: readonly RecurringRun[]): Html {
  return html`<span class="run-dots"
    >${runs.toReversed().map(({ job, phase }) => {
      const look = lookOf(phase)
      return html`<a
        class="run-dot ${look}"
        href="${visit.to(`/jobs/${job}`)}"
        aria-label="Run ${shortId(job)}: ${titles[look]}"
        title="${titles[look]}"
        >${glyphs[look]}</a
      >`
    })}</span
  >`
}

function buttons(visit: Visit, job: RecurringJob, className: string): Html {
  const at = visit.to(`/recurring/${segment(job.id)}`)
  const resource = { recurring: job.id }
  return html`${visit.may('recurring.trigger', resource) ? actionButton(`${at}/trigger`, 'Run now', { className, label: `Run now: ${job.id}` }) : null}
  ${visit.may('recurring.pause', resource) ? (job.paused === undefined ? askButton(`${at}/pause`, 'Pause…', className) : actionButton(`${at}/resume`, 'Resume', { className, label: `Resume ${job.id}` })) : null}`
}

export async function recurringJobPage(visit: Visit): Promise<Page> {
  const { reader } = visit.site
  const id = visit.params['id']!
  const [list, runs] = await Promise.all([reader.recurring({ limit: 1, ids: [id] }), reader.runs(id, 50)])
  const job = list.items[0]
  if (job === undefined)
    throw new Problem(404, 'not-found', 'There is no such recurring job: it was never put, or it was removed.')
  const at = visit.to(`/recurring/${segment(id)}`)
  const resource = { recurring: id }
  return {
    title: id,
    isLive: true,
    regions: [
      region(
        'rj-head',
        html`${heading(
          html`${id} ${job.paused === undefined ? null : html`<span class="chip retrying">paused</span>`}`,
          html`${buttons(visit, job, '')}${visit.may('recurring.edit', resource) ? askButton(`${at}/edit`, 'Edit…') : null}${visit.may('recurring.remove', resource) ? askButton(`${at}/remove`, 'Remove…', 'grave') : null}`,
          html`${job.words}${zoneNote(job)}.`,
        )}${job.paused === undefined ? null : html`<p class="sentence warn"><span class="glyph" aria-hidden="true">⏸</span><span>Paused ${visit.times.relative(job.paused.at)}${job.paused.by === undefined ? null : ` by ${job.paused.by}`}${job.paused.reason === undefined ? null : `: ${visit.redact.text(job.paused.reason)}`}${job.paused.until === undefined ? null : html`, until ${visit.times.toMinute(job.paused.until)}`}.</span></p>`}${job.error === undefined ? null : html`<p class="notice bad">${visit.redact.text(job.error)}</p>`}`,
      ),
      region(
        'rj-body',
        html`<div>
            ${panel(html`Runs ${runs.length === 0 ? null : html`<small>the last ${runs.length}</small>`}`, runTable(visit, runs), html`<a class="more" href="${visit.to(`/jobs?q=${encodeURIComponent(`recurring:${quoted(id)}`)}`)}">Its jobs</a>`)}${panel('Input', dataView(visit.redact.data(job.input), { label: 'input', full: visit.to(`/api/v1/recurring/${segment(id)}`) }))}
          </div>
          <aside class="side-column" aria-label="Schedule">
            ${panel('Next runs', nextRuns(visit, job))}${panel(
              'Facts',
              facts([
                [
                  'Kind',
                  html`<a href="${visit.to(`/jobs?q=${encodeURIComponent(`kind:${quoted(job.job)}`)}`)}"
                    >${job.job}</a
                  >`,
                ],
                ['Queue', html`<a href="${visit.to(`/queues/${segment(job.queue)}`)}">${job.queue}</a>`],
                ['Schedule', html`<code>${scheduleText(job)}</code>`],
                ...(job.schedule.cron === undefined ? [] : [['Time zone', job.schedule.timeZone ?? 'UTC'] as const]),
                ['When late', misfires[job.misfire]],
                ['When busy', overlaps[job.overlap]],
                ...(job.jitterMs === 0 ? [] : [['Spread over', duration(job.jitterMs)] as const]),
                ...(job.owner === undefined ? [] : [['Owner', job.owner] as const]),
              ]),
            )}
          </aside>`,
        'job-grid',
      ),
    ],
  }
}

const misfires = { once: 'runs once', all: 'runs every missed one', skip: 'skips' } as const
const overlaps = { allow: 'runs beside the other', skip: 'leaves it out', wait: 'waits for the other' } as const

function runTable(visit: Visit, runs: readonly RecurringRun[]): Html {
  if (runs.length === 0) return empty('It has not run yet.')
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Runs">
    <table>
      <caption class="hush">
        Runs
      </caption>
      <thead>
        <tr>
          <th scope="col">Run</th>
          <th scope="col">State</th>
          <th scope="col" class="num">Ran</th>
          <th scope="col">When</th>
        </tr>
      </thead>
      <tbody>
        ${runs.map(
          ({ job, at, phase, ranMs }) =>
            html`<tr>
              <td>
                <a href="${visit.to(`/jobs/${job}`)}"><code>${shortId(job)}</code></a>
              </td>
              <td>${stateChip(lookOf(phase))}</td>
              <td class="num">${ranMs === undefined ? html`<span class="none">—</span>` : duration(ranMs)}</td>
              <td>${visit.times.relative(at)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`
}

/** In the viewer's zone and, where that is another one, in the zone of the schedule: so that nobody has to count hours. */
export function nextRuns(visit: Visit, job: Pick<RecurringJob, 'next' | 'schedule'>): Html {
  const own = job.schedule.cron === undefined ? visit.times.zone : (job.schedule.timeZone ?? 'UTC')
  const there = createTimes(own, visit.times.now)
  const runs = job.next(5)
  if (runs.length === 0) return empty('It never comes again.')
  return html`<ol class="rows next">
    ${runs.map((at) => html`<li><span>${visit.times.toMinute(at)}${own === visit.times.zone ? null : html` <span class="quiet">(${there.toMinute(at)} ${own})</span>`}</span><span class="spacer"></span><span class="quiet">${visit.times.relative(at)}</span></li>`)}
  </ol>`
}
