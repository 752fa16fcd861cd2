import type { Counts, JobSummary, Page as StoragePage, PageRequest } from '@q/core/storage'
import { countMatching, type Matching } from '../search/count-matching.ts'
import { countOf, type JobStateName, jobStates } from '../search/job-states.ts'
import { type ParsedSearch, parseSearch } from '../search/parse-search.ts'
import { searchQuery } from '../search/search-query.ts'
import { compact, count, exact } from '../views/format.ts'
import type { Html } from '../views/html.ts'
import { html } from '../views/html.ts'
import { columns, jobTable, readColumns } from '../views/job-table.ts'
import type { Page } from '../views/page.ts'
import { region } from '../views/page.ts'
import { currentPage, empty, heading, snippet } from '../views/parts.ts'
import { glyphs, titles } from '../views/state.ts'
import type { Visit } from '../visit.ts'
import { firstJob } from './overview.ts'

export const pageSizes: readonly number[] = [25, 50, 100, 200]

const orders = ['newest', 'oldest', 'claim', 'due'] as const
type Order = (typeof orders)[number]

/** What the address says a list should show. */
interface Asked {
  readonly text: string
  readonly parsed: ParsedSearch
  readonly order: Order
  readonly limit: number
  readonly cursor: string | undefined
}

export async function jobsPage(visit: Visit): Promise<Page> {
  const { reader } = visit.site
  const counts = await reader.counts()
  const asked = readAsked(visit, counts.at)
  const { search, problems } = asked.parsed
  const query = problems.length > 0 ? null : await searchQuery(search, reader)
  const list = query === null ? emptyList : await reader.jobs(query, pageRequest(asked))
  const matching =
    query === null ? { value: 0, exact: true } : await countMatching(reader, query, search.states, counts, list)
  const shown = shownColumns(visit, search.states)
  return {
    title: search.states?.length === 1 ? `${titles[search.states[0]!]} jobs` : 'Jobs',
    isLive: asked.cursor === undefined,
    regions: [
      region('jobs-head', html`${heading('Jobs', exportLinks(visit, asked))}${searchForm(visit, asked)}`, 'stay'),
      region('jobs-states', statePills(visit, asked, counts), 'pills'),
      region(
        'jobs-list',
        html`${bulkBar(visit, asked, matching)}${listBody(visit, asked, list, shown, counts)}${footer(visit, asked, list, counts)}`,
        'list',
      ),
    ],
  }
}

/** A form without script sends `col` many times; links carry `cols` once. */
function shownColumns(visit: Visit, states: readonly string[] | undefined): ReturnType<typeof readColumns> {
  return readColumns(visit.query.get('cols') ?? visit.query.getAll('col').join(','), states)
}

const emptyList: StoragePage<JobSummary> = { items: [] }

function readAsked(visit: Visit, now: number): Asked {
  const text = visit.query.get('q') ?? ''
  const parsed = parseSearch(text, now)
  const { states } = parsed.search
  const only = states?.length === 1 ? states[0] : undefined
  const allowed = orders.filter((order) =>
    order === 'claim' ? only === 'enqueued' : order === 'due' ? only === 'scheduled' || only === 'retrying' : true,
  )
  const fallback: Order = only === 'enqueued' ? 'claim' : only === 'scheduled' || only === 'retrying' ? 'due' : 'newest'
  const limit = Number(visit.query.get('limit') ?? 50)
  return {
    text,
    parsed,
    order: allowed.find((order) => order === visit.query.get('sort')) ?? fallback,
    limit: pageSizes.includes(limit) ? limit : 50,
    cursor: visit.query.get('after') ?? undefined,
  }
}

function pageRequest({ order, limit, cursor }: Asked): PageRequest {
  return { order, limit, cursor }
}

function searchForm(visit: Visit, asked: Asked): Html {
  const { problems } = asked.parsed
  return html`<form class="search" role="search" action="${visit.to('/jobs')}" method="get">
      <label class="hush" for="q">Search jobs</label>
      <input
        id="q"
        name="q"
        type="search"
        value="${asked.text}"
        placeholder="kind:mail.send queue:mail error:SmtpError last:24h"
        autocomplete="off"
        spellcheck="false"
        list="q-fields"
        ${problems.length > 0 ? html`aria-invalid="true" aria-describedby="q-problems"` : null}
      />
      <datalist id="q-fields"></datalist>
      ${hiddenFields(visit, ['cols', 'limit', 'sort'])}
      <button class="button">Search</button>
      ${asked.text === '' ? null : html`<a class="button plain" href="${visit.to('/jobs')}">Clear</a>`}
      <details class="help">
        <summary>How to search</summary>
        ${searchHelp}
      </details>
    </form>
    ${
      problems.length === 0
        ? null
        : html`<ul id="q-problems" class="form-problems">
            ${problems.map((problem) => html`<li>${problem}</li>`)}
          </ul>`
    }`
}

const searchHelp: Html = html`<dl class="grammar">
  <div>
    <dt><code>kind:mail.send,report</code></dt>
    <dd>the name of the job; a comma means “or”</dd>
  </div>
  <div>
    <dt><code>state:failed</code> <code>-state:succeeded</code></dt>
    <dd>in, or not in, a state</dd>
  </div>
  <div>
    <dt><code>queue:mail</code> <code>tag:vip</code></dt>
    <dd>queue, tag</dd>
  </div>
  <div>
    <dt><code>error:SmtpError</code></dt>
    <dd>text of the error, or the fingerprint of a group</dd>
  </div>
  <div>
    <dt><code>args.plan:pro</code></dt>
    <dd>a value near the start of the input</dd>
  </div>
  <div>
    <dt><code>attempt:&gt;3</code> <code>ran:&gt;10s</code> <code>waited:&gt;1m</code></dt>
    <dd>at least</dd>
  </div>
  <div>
    <dt><code>last:24h</code> <code>created:&gt;2026-11-20</code></dt>
    <dd>when it entered its state, when it was made</dd>
  </div>
  <div>
    <dt><code>server:web-1</code> <code>recurring:nightly</code> <code>parent:01J…</code></dt>
    <dd>what it belongs to</dd>
  </div>
  <div>
    <dt><code>timeout</code> <code>"out of memory"</code></dt>
    <dd>anything else is looked for in id, name, tags, input and error</dd>
  </div>
</dl>`

function hiddenFields(visit: Visit, names: readonly string[]): Html {
  return html`${names.map((name) => {
    const value = visit.query.get(name)
    return value === null ? null : html`<input type="hidden" name="${name}" value="${value}" />`
  })}`
}

function statePills(visit: Visit, asked: Asked, counts: Counts): Html {
  const { states } = asked.parsed.search
  const rest = asked.text.replace(/(^|\s)-?(state|is):\S+/gi, ' ').trim()
  const link = (state: string | null): string =>
    withQuery(visit, {
      q: [state === null ? '' : `state:${state}`, rest].filter((part) => part !== '').join(' ') || null,
      after: null,
      sort: null,
    })
  const shown = jobStates.filter(
    (state) =>
      !['parked', 'awaiting', 'deleted'].includes(state) ||
      countOf(state, counts) > 0 ||
      states?.includes(state) === true,
  )
  return html`<nav aria-label="States">
    <ul class="pill-row">
      <li><a class="pill all" href="${link(null)}" ${states === undefined ? currentPage : null}>All</a></li>
      ${shown.map(
        (state) =>
          html`<li>
            <a
              class="pill ${state}"
              href="${link(state)}"
              ${states?.length === 1 && states[0] === state ? currentPage : null}
              ><span class="glyph" aria-hidden="true">${glyphs[state]}</span>${titles[state]}
              ${count(countOf(state, counts))}</a
            >
          </li>`,
      )}
    </ul>
  </nav>`
}

/** The same page with something changed in its address. */
function withQuery(visit: Visit, changes: Readonly<Record<string, string | null>>): string {
  const query = new URLSearchParams(visit.query)
  query.delete('done')
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) query.delete(name)
    else query.set(name, value)
  }
  const text = query.toString()
  return visit.to(`${visit.path}${text === '' ? '' : `?${text}`}`)
}

function bulkBar(visit: Visit, asked: Asked, matching: Matching): Html | null {
  const actions = bulkActions(visit, asked)
  if (actions.length === 0 || matching.value === 0) return null
  return html`<form id="bulk" class="bulk" method="get" action="${visit.to('/operations/new')}">
    <input type="hidden" name="q" value="${asked.text}" />
    <span class="bulk-count" aria-live="polite"
      >${matching.exact ? exact(matching.value) : `${exact(matching.value)}+`} matching</span
    >
    ${actions.map(({ action, title, isGrave }) => html`<button class="button small ${isGrave ? 'grave' : ''}" name="action" value="${action}" data-dialog>${title}…</button>`)}
    <span class="spacer"></span>
    <button type="button" class="pill new-rows" id="new-rows" hidden></button>
  </form>`
}

function bulkActions(visit: Visit, asked: Asked): readonly { action: string; title: string; isGrave: boolean }[] {
  const { states } = asked.parsed.search
  const includes = (...wanted: JobStateName[]): boolean =>
    states === undefined || wanted.some((state) => states.includes(state))
  const actions: { action: string; title: string; isGrave: boolean }[] = []
  if (visit.may('jobs.retry') && includes('failed', 'retrying', 'scheduled', 'deleted', 'parked'))
    actions.push({
      action: 'retry',
      title: states?.length === 1 && states[0] === 'scheduled' ? 'Run now' : 'Retry',
      isGrave: false,
    })
  if (visit.may('jobs.cancel') && includes('enqueued', 'processing', 'scheduled', 'retrying', 'awaiting', 'parked'))
    actions.push({ action: 'cancel', title: 'Cancel', isGrave: true })
  if (visit.may('jobs.delete') && includes('failed', 'succeeded'))
    actions.push({ action: 'delete', title: 'Delete', isGrave: true })
  return actions
}

function listBody(
  visit: Visit,
  asked: Asked,
  list: StoragePage<JobSummary>,
  shown: ReturnType<typeof readColumns>,
  counts: Counts,
): Html {
  if (list.items.length > 0) {
    const isSelectable = bulkActions(visit, asked).length > 0
    return html`<div class="scroll" tabindex="0" role="group" aria-label="Jobs">
      ${jobTable(visit, list.items, shown, { isSelectable, caption: 'Jobs' })}
    </div>`
  }
  const total = Object.values(counts.byPhase).reduce((sum, n) => sum + n, 0)
  if (total === 0)
    return html`<div class="panel">
      ${empty(
        'There is no job yet.',
        html`<p>The first one appears here as soon as it is enqueued.</p>
          ${snippet(firstJob)}`,
      )}
    </div>`
  if (asked.parsed.problems.length > 0)
    return html`<div class="panel">
      ${empty('This search is not understood.', html`<p>Nothing was looked up. Mend it above, or <a href="${visit.to('/jobs')}">see all jobs</a>.</p>`)}
    </div>`
  const { states, ...others } = asked.parsed.search
  const isOnlyState = Object.values(others).every((value) => value === undefined)
  if (isOnlyState && states?.length === 1)
    return html`<div class="panel">
      ${empty(`No ${titles[states[0]!].toLowerCase()} jobs.`, html`<p>${goodNews(states[0]!)}</p>`)}
    </div>`
  return html`<div class="panel">
    ${empty('Nothing matches.', html`<p><code>${asked.text}</code> finds no job${list.searched?.complete === false ? ` among the ${exact(list.searched.scanned)} looked at` : ''}. <a href="${visit.to('/jobs')}">Clear the search</a>.</p>`)}
  </div>`
}

function goodNews(state: JobStateName): string {
  const words: Readonly<Record<JobStateName, string>> = {
    enqueued: 'Whatever is enqueued is taken at once.',
    processing: 'No server is busy at this moment.',
    scheduled: 'Nothing is planned for later.',
    retrying: 'Nothing waits for another try.',
    awaiting: 'Nothing waits for another job.',
    parked: 'Every job is known to some server.',
    succeeded: 'Succeeded jobs stay here for a day unless they say otherwise.',
    failed: 'Nothing has failed for good. That is how it should be.',
    deleted: 'Deleted jobs stay here for a day.',
  }
  return words[state]
}

function footer(visit: Visit, asked: Asked, list: StoragePage<JobSummary>, counts: Counts): Html {
  const total = Object.values(counts.byPhase).reduce((sum, n) => sum + n, 0)
  const { searched } = list
  return html`<div class="pager">
    ${asked.cursor === undefined ? null : html`<a class="button small" href="${withQuery(visit, { after: null })}" rel="first">‹ Newest</a>`}
    ${list.next === undefined ? null : html`<a class="button small" href="${withQuery(visit, { after: list.next })}" rel="next">${asked.order === 'newest' ? 'Older' : 'Further'} ›</a>`}
    ${searched?.complete === false ? html`<span class="quiet">searched ${exact(searched.scanned)} of ${compact(total)}${list.next === undefined ? null : html` · <a href="${withQuery(visit, { after: list.next })}">search further</a>`}</span>` : null}
    <span class="spacer"></span>
    ${listOptions(visit, asked)}
  </div>`
}

function listOptions(visit: Visit, asked: Asked): Html {
  const shown = new Set<string>(shownColumns(visit, asked.parsed.search.states))
  return html`<details class="menu">
      <summary class="button small">Columns</summary>
      <form class="menu-body" method="get" action="${visit.to('/jobs')}" data-columns>
        ${hiddenFields(visit, ['q', 'sort', 'limit'])}
        ${Object.entries(columns).map(([name, title]) => html`<label><input type="checkbox" name="col" value="${name}" ${shown.has(name) ? html`checked` : null} /> ${title}</label>`)}
        <button class="button small">Show</button>
      </form>
    </details>
    <span class="quiet"
      >${pageSizes.map((size) => html`<a class="size" href="${withQuery(visit, { limit: String(size), after: null })}" ${size === asked.limit ? currentPage : null}>${size}</a> `)}
      per page</span
    >`
}

function exportLinks(visit: Visit, asked: Asked): Html {
  const query = asked.text === '' ? '' : `?q=${encodeURIComponent(asked.text)}`
  return html`<a class="button plain" href="${visit.to(`/api/v1/export/jobs.csv${query}`)}" download>⤓ CSV</a
    ><a class="button plain" href="${visit.to(`/api/v1/export/jobs.ndjson${query}`)}" download>⤓ NDJSON</a>`
}
