import type { JobSummary } from '@q/core/storage'
import type { Visit } from '../visit.ts'
import { count, duration } from './format.ts'
import type { Fragment, Html } from './html.ts'
import { html } from './html.ts'
import { lookOf, stateChip } from './state.ts'

/** Everything a list of jobs can show. */
export const columns = {
  state: 'State',
  queue: 'Queue',
  priority: 'Priority',
  attempts: 'Attempts',
  error: 'Error',
  waited: 'Waited',
  ran: 'Ran',
  server: 'Server',
  due: 'Due',
  created: 'Created',
  since: 'Since',
  tags: 'Tags',
} as const

export type Column = keyof typeof columns

const defaults: Readonly<Record<string, readonly Column[]>> = {
  enqueued: ['queue', 'priority', 'created', 'since'],
  processing: ['queue', 'server', 'attempts', 'waited', 'since'],
  scheduled: ['state', 'queue', 'due', 'attempts', 'error'],
  retrying: ['queue', 'due', 'attempts', 'error'],
  awaiting: ['queue', 'created', 'since'],
  parked: ['queue', 'created', 'since'],
  succeeded: ['queue', 'waited', 'ran', 'since'],
  failed: ['queue', 'attempts', 'error', 'ran', 'since'],
  deleted: ['queue', 'attempts', 'error', 'since'],
}

const mixed: readonly Column[] = ['state', 'queue', 'attempts', 'error', 'waited', 'ran', 'since']

/** What `cols=` says, or what suits the states that are asked for. */
export function readColumns(text: string | null, states: readonly string[] | undefined): readonly Column[] {
  const wanted = (text ?? '').split(',').filter((name): name is Column => Object.hasOwn(columns, name))
  if (wanted.length > 0) return [...new Set(wanted)]
  return (states?.length === 1 ? defaults[states[0]!] : undefined) ?? mixed
}

const numeric: ReadonlySet<Column> = new Set(['priority', 'attempts', 'waited', 'ran'])

export function jobTable(
  visit: Visit,
  jobs: readonly JobSummary[],
  shown: readonly Column[],
  options: { readonly isSelectable?: boolean; readonly caption: string },
): Html {
  const { isSelectable = false, caption } = options
  return html`<table class="jobs" ${isSelectable ? html`data-select` : null}>
    <caption class="hush">
      ${caption}
    </caption>
    <thead>
      <tr>
        ${isSelectable ? html`<th class="pick" scope="col"><input type="checkbox" data-all aria-label="Select all on this page" /></th>` : null}
        <th scope="col">Job</th>
        ${shown.map((column) => html`<th scope="col" ${classOf(column)}>${columns[column]}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${jobs.map((job) => row(visit, job, shown, isSelectable))}
    </tbody>
  </table>`
}

function row(visit: Visit, job: JobSummary, shown: readonly Column[], isSelectable: boolean): Html {
  const preview =
    job.preview === undefined || job.preview === 'null' || job.preview === '{}'
      ? null
      : visit.redact.preview(job.preview)
  return html`<tr id="j-${job.id}">
    ${isSelectable ? html`<td class="pick"><input type="checkbox" name="id" value="${job.id}" form="bulk" aria-label="Select ${job.name} ${job.id}" /></td>` : null}
    <td class="what">
      <a href="${visit.to(`/jobs/${job.id}`)}" title="${job.id}">${job.name}</a
      >${preview === null ? null : html`<code class="preview">${preview}</code>`}
    </td>
    ${shown.map((column) => html`<td ${classOf(column)} data-label="${columns[column]}">${cell(visit, job, column)}</td>`)}
  </tr>`
}

function classOf(column: Column): Fragment {
  return column === 'error' ? errorColumn : numeric.has(column) && numericColumn
}

const errorColumn = html`class="c-error"`
const numericColumn = html`class="num"`

function cell(visit: Visit, job: JobSummary, column: Column): Fragment {
  const { times } = visit
  switch (column) {
    case 'state':
      return stateChip(lookOf(job.state.phase, job.attempt), job.state.name)
    case 'queue':
      return html`<a class="quiet" href="${visit.to(`/queues/${encodeURIComponent(job.queue)}`)}">${job.queue}</a>`
    case 'priority':
      return 100 - job.priority
    case 'attempts':
      return html`${count(job.attempt)}${job.crashes > 0 ? html` <span class="warn-text" title="${job.crashes} runs lost with their server">+${job.crashes} lost</span>` : null}`
    case 'error':
      return errorText(visit, job)
    case 'waited':
      return job.waitedMs === undefined ? none : duration(job.waitedMs)
    case 'ran':
      return job.ranMs === undefined ? none : duration(job.ranMs)
    case 'server':
      return job.server ?? none
    case 'due':
      return job.dueAt === undefined ? none : times.relative(job.dueAt)
    case 'created':
      return times.relative(job.createdAt)
    case 'since':
      return times.relative(job.state.at)
    case 'tags':
      return job.tags.length === 0 ? none : job.tags.map((tag) => html`<span class="tag">${tag}</span>`)
    default:
      return column satisfies never
  }
}

function errorText(visit: Visit, job: JobSummary): Fragment {
  const { error, reason, phase } = job.state
  const isTold = phase === 'deleted' || phase === 'scheduled' || phase === 'parked'
  const text = error?.preview ?? (isTold ? reason : undefined)
  if (text === undefined) return none
  const clean = visit.redact.text(text)
  return html`<span class="${error === undefined ? 'reason-line' : 'error-line'}" title="${clean}">${clean}</span>`
}

const none: Html = html`<span class="none">—</span>`
