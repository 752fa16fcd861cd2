import type { ErrorGroup } from '@q/core/storage'
import { Problem } from '../problem.ts'
import { count, plural } from '../views/format.ts'
import { sparkline } from '../views/chart.ts'
import type { Html } from '../views/html.ts'
import { html } from '../views/html.ts'
import { jobTable } from '../views/job-table.ts'
import type { Page } from '../views/page.ts'
import { region } from '../views/page.ts'
import { askButton, empty, facts, heading, panel } from '../views/parts.ts'
import type { Visit } from '../visit.ts'

/** What goes wrong, each thing once. */
export async function errorsPage(visit: Visit): Promise<Page> {
  const { reader } = visit.site
  const cursor = visit.query.get('after') ?? undefined
  const groups = await reader.errors({ limit: 50, cursor })
  return {
    title: 'Errors',
    isLive: cursor === undefined,
    regions: [
      region(
        'errors-head',
        heading(
          'Errors',
          null,
          'Failures that say the same thing stand together: numbers, ids and quoted parts of the message do not count.',
        ),
      ),
      region(
        'errors-list',
        groups.items.length === 0
          ? html`<div class="panel">
              ${empty('No errors.', html`<p>Nothing has failed in the last 30 days. When something does, it is counted here by what went wrong and where.</p>`)}
            </div>`
          : html`<ul class="cards">
                ${groups.items.map((group) => card(visit, group))}
              </ul>
              ${
                groups.next === undefined
                  ? null
                  : html`<div class="pager">
                      <a class="button small" href="${visit.to(`/errors?after=${encodeURIComponent(groups.next)}`)}"
                        >Older ›</a
                      >
                    </div>`
              }`,
      ),
    ],
  }
}

function card(visit: Visit, group: ErrorGroup): Html {
  const { fingerprint, preview, names, count: times, firstAt, lastAt, trend } = group
  const [name, message] = splitPreview(visit.redact.text(preview))
  return html`<li class="panel card" id="e-${fingerprint}">
    <div class="card-main">
      <a class="card-title" href="${visit.to(`/errors/${fingerprint}`)}"
        ><strong>${name}</strong> <span>${message}</span></a
      >
      <p class="quiet">
        ${kinds(names)} · first ${visit.times.relative(firstAt)} · last ${visit.times.relative(lastAt)}
      </p>
    </div>
    <div class="card-trend" title="The last 24 hours">${sparkline(trend, 'failed')}<span class="quiet">24 h</span></div>
    <div class="card-count">
      <span class="big">${count(times)}</span><span class="quiet">${times === 1 ? 'failure' : 'failures'}</span>
    </div>
    <div class="actions">${groupActions(visit, fingerprint)}</div>
  </li>`
}

function groupActions(visit: Visit, fingerprint: string): Html {
  const link = (action: string): string =>
    visit.to(`/operations/new?action=${action}&q=${encodeURIComponent(`error:${fingerprint} state:failed`)}`)
  return html`${visit.may('jobs.retry') ? askButton(link('retry'), 'Retry…', 'small') : null}${visit.may('jobs.delete') ? askButton(link('delete'), 'Delete…', 'small grave') : null}`
}

export async function errorPage(visit: Visit): Promise<Page> {
  const { reader } = visit.site
  const fingerprint = visit.params['fingerprint']!
  const [groups, jobs] = await Promise.all([
    reader.errors({ limit: 1, fingerprint }),
    reader.jobs({ error: fingerprint, phase: ['failed', 'scheduled'] }, { limit: 25 }),
  ])
  const group = groups.items[0]
  if (group === undefined)
    throw new Problem(404, 'not-found', 'There is no such group of errors: it was never seen, or not for 30 days.')
  const [name, message] = splitPreview(visit.redact.text(group.preview))
  return {
    title: name,
    isLive: true,
    regions: [
      region(
        'error-head',
        html`${heading(name, groupActions(visit, fingerprint))}
          <p class="lead error-text">${message}</p>`,
      ),
      region(
        'error-facts',
        panel(
          'When',
          html`<div class="pad wide-spark">
              ${sparkline(group.trend, 'failed')}
              <p class="quiet">by hour, the last 24 hours</p>
            </div>
            ${facts([
              ['Failures', count(group.count)],
              ['Kinds', kinds(group.names)],
              ['First', visit.times.relative(group.firstAt)],
              ['Last', visit.times.relative(group.lastAt)],
              ['Latest job', html`<a href="${visit.to(`/jobs/${group.sample}`)}">open</a>`],
              ['Fingerprint', html`<code>${fingerprint}</code>`],
            ])}`,
        ),
      ),
      region(
        'error-jobs',
        panel(
          'Jobs',
          jobs.items.length === 0
            ? empty(
                'None of its jobs waits or has failed for good.',
                html`<p>They were retried and succeeded, or were removed.</p>`,
              )
            : html`<div class="scroll" tabindex="0" role="group" aria-label="Jobs with this error">
                ${jobTable(visit, jobs.items, ['state', 'queue', 'attempts', 'error', 'since'], { caption: 'Jobs with this error' })}
              </div>`,
          html`<a class="more" href="${visit.to(`/jobs?q=error:${fingerprint}`)}">All</a>`,
        ),
      ),
    ],
  }
}

function kinds(names: readonly string[]): string {
  const [first = 'unknown', ...others] = names
  return others.length === 0 ? first : `${first} and ${plural(others.length, 'other kind')}`
}

/** `SmtpError: 451 …` is a name and a message. */
export function splitPreview(preview: string): readonly [string, string] {
  const at = preview.indexOf(': ')
  return at < 0 ? [preview, ''] : [preview.slice(0, at), preview.slice(at + 2)]
}
