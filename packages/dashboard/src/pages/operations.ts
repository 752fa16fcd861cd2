import type { BulkAction, BulkTarget, Operation } from '../commands/operations.ts'
import { Problem } from '../problem.ts'
import { parseSearch } from '../search/parse-search.ts'
import { searchQuery } from '../search/search-query.ts'
import { exact, plural } from '../views/format.ts'
import type { Fragment, Html } from '../views/html.ts'
import { html } from '../views/html.ts'
import type { Page } from '../views/page.ts'
import { region } from '../views/page.ts'
import { actionButton, empty, heading } from '../views/parts.ts'
import type { Visit } from '../visit.ts'
import { dialog } from './dialogs.ts'

export const bulkActions: readonly BulkAction[] = ['retry', 'cancel', 'delete']

/** At most this many jobs are picked by hand; more than that is a search. */
export const mostPicked = 200

export async function operationsPage(visit: Visit): Promise<Page> {
  const operations = visit.site.operations.list()
  return {
    title: 'Operations',
    isLive: true,
    regions: [
      region(
        'operations-head',
        heading('Operations', null, 'Commands for many jobs at once, as this process ran them.'),
      ),
      region(
        'operations-list',
        operations.length === 0
          ? html`<div class="panel">
              ${empty('No operation yet.', html`<p>Search for jobs, then retry, cancel or delete all that match: it runs here, in pieces, and can be stopped.</p>`)}
            </div>`
          : html`<ul class="cards">
              ${operations.map((operation) => html`<li class="panel operation" id="o-${operation.id}">${operationView(visit, operation)}</li>`)}
            </ul>`,
      ),
    ],
  }
}

export async function operationPage(visit: Visit): Promise<Page> {
  const operation = visit.site.operations.get(visit.params['id']!)
  if (operation === null)
    throw new Problem(404, 'not-found', 'There is no such operation: this process has not run it, or it was long ago.')
  return {
    title: titleOf(operation),
    isLive: true,
    regions: [
      region('operation-head', heading(titleOf(operation))),
      region('operation', html`<div class="panel operation">${operationView(visit, operation)}</div>`),
    ],
  }
}

const verbs: Readonly<Record<BulkAction, string>> = { retry: 'Retry', cancel: 'Cancel', delete: 'Delete' }
const pasts: Readonly<Record<BulkAction, string>> = { retry: 'retried', cancel: 'cancelled', delete: 'deleted' }

function titleOf({ action, total }: Operation): string {
  return `${verbs[action]} ${amount(total)}`
}

export function amount({ value, exact: isExact }: Operation['total']): string {
  return isExact ? plural(value, 'job') : `${exact(value)}+ jobs`
}

function operationView(visit: Visit, operation: Operation): Html {
  const { id, action, search, status, total, matched, changed, skipped, by, reason, startedAt, endedAt, error } =
    operation
  const left = Object.entries(skipped).filter(([, n]) => n > 0)
  return html`<div class="operation-head">
      <a class="card-title" href="${visit.to(`/operations/${id}`)}"><strong>${titleOf(operation)}</strong></a>
      <span class="chip ${looks[status]}">${status}</span><span class="spacer"></span>
      ${status === 'running' && visit.may(permissionOf(action)) ? actionButton(visit.to(`/operations/${id}/abort`), 'Abort', { className: 'small grave' }) : null}
    </div>
    ${search === '' ? null : html`<p><code>${search}</code></p>`}
    <progress
      max="${Math.max(1, total.value)}"
      value="${status === 'done' ? Math.max(1, total.value) : Math.min(matched, total.value)}"
      aria-label="Progress of the operation"
    ></progress>
    <p>
      <strong>${exact(changed)}</strong>
      ${pasts[action]}${left.length === 0 ? null : html`, ${left.map(([why, n], index) => html`${index > 0 ? ', ' : null}${exact(n)} ${skips[why] ?? why}`)}`}<span
        class="quiet"
      >
        of ${amount(total)}</span
      >
    </p>
    ${error === undefined ? null : html`<p class="bad-text">${visit.redact.text(error)}</p>`}
    <p class="quiet">
      started
      ${visit.times.relative(startedAt)}${by === undefined ? null : ` by ${by}`}${reason === undefined ? null : ` — ${reason}`}${endedAt === undefined ? null : html`, ended ${visit.times.relative(endedAt)}`}
    </p>`
}

const looks = { running: 'processing', done: 'succeeded', aborted: 'deleted', failed: 'failed' } as const
const skips: Readonly<Record<string, string>> = {
  state: 'left alone, in another state meanwhile',
  missing: 'not there any more',
  duplicate: 'held back by their unique key',
}

export function permissionOf(action: BulkAction): 'jobs.retry' | 'jobs.cancel' | 'jobs.delete' {
  return `jobs.${action}`
}

/** Asks before it begins: how many, frozen now. */
export async function newOperationPage(visit: Visit): Promise<Page> {
  const action = readAction(visit.query.get('action'))
  demandPermission(visit, action)
  const ids = visit.query.getAll('id')
  const target = await readTarget(visit, visit.query.get('q') ?? '', ids.length === 0 ? undefined : ids)
  const total = await visit.site.operations.count(action, target)
  const search = target.ids === undefined ? target.search : ''
  const isMany = !total.exact || total.value > 100
  return dialog(visit, {
    title: `${verbs[action]} ${amount(total)}?`,
    body: html`${search === '' ? (target.ids === undefined ? html`<p>Every job it is possible for.</p>` : html`<p>The jobs you selected.</p>`) : html`<p>Everything that matches <code>${search}</code> now. What comes later is not touched.</p>`}
      <p class="quiet">${explanations[action]}</p>`,
    action: visit.to('/operations'),
    fields: [
      ['action', action],
      ['q', search],
      ['asOf', String(target.asOf)],
      ['expected', String(total.value)],
      ...(target.ids ?? []).map((id) => ['id', id] as const),
    ],
    confirm: total.value === 0 ? null : `${verbs[action]} ${amount(total)}`,
    isGrave: action !== 'retry',
    typed: isMany && action === 'delete' ? String(total.value) : undefined,
    back: search === '' ? '/jobs' : `/jobs?q=${encodeURIComponent(search)}`,
  })
}

const explanations: Readonly<Record<BulkAction, Fragment>> = {
  retry: 'They go back into their queues, their attempts starting over.',
  cancel: 'What has not run is deleted; what runs is asked to stop, and its code must honour that.',
  delete: 'They stay readable, and can be retried, until their retention ends.',
}

export function readAction(text: string | null): BulkAction {
  const action = bulkActions.find((one) => one === text)
  if (action === undefined) throw new Problem(400, 'invalid', `An operation is one of ${bulkActions.join(', ')}.`)
  return action
}

export function demandPermission(visit: Visit, action: BulkAction): void {
  const permission = permissionOf(action)
  if (!visit.may(permission))
    throw new Problem(403, 'permission', `This needs the permission ${permission}.`, { permission })
}

/** A search is frozen: relative times become instants, and what enters its state later does not count. */
export async function readTarget(
  visit: Visit,
  search: string,
  ids: readonly string[] | undefined,
  asOf?: number,
): Promise<BulkTarget> {
  const { client, reader } = visit.site
  // Not from the reader: what it remembers may be a second old, and a job made since would be left out.
  const at = asOf ?? (await client.monitor.counts()).at
  if (ids !== undefined) {
    if (ids.length > mostPicked)
      throw new Problem(400, 'invalid', `At most ${mostPicked} jobs can be picked; use a search for more.`)
    return { search: '', ids, query: {}, asOf: at }
  }
  const { search: parsed, problems } = parseSearch(search, at)
  if (problems.length > 0) throw new Problem(400, 'invalid', problems.join(' '))
  const query = await searchQuery(parsed, reader)
  if (query === null) throw new Problem(404, 'not-found', 'There is no such server.')
  return { search, query, asOf: at }
}
