import type { Attempt, Explanation, HistoryEntry, JobDetails, LogEntry } from '@q/core'
import type { ErrorGroup, JobSummary, Page as StoragePage } from '@q/core/storage'
import { percentile } from '@q/core/storage'
import { emptyPoint, addPoint } from '../reads/activity.ts'
import { dataView } from '../views/data.ts'
import { errorView } from '../views/error.ts'
import { count, duration, plural } from '../views/format.ts'
import type { Fragment, Html } from '../views/html.ts'
import { html } from '../views/html.ts'
import type { Page } from '../views/page.ts'
import { region } from '../views/page.ts'
import { actionButton, askButton, copyButton, empty, facts, heading, panel } from '../views/parts.ts'
import { glyphs, lookOf, stateChip, stateTitle, titles } from '../views/state.ts'
import type { Visit } from '../visit.ts'
import { segment } from '../visit.ts'

/** Everything one page tells of a job. */
interface Story {
  readonly job: JobDetails
  readonly logs: StoragePage<LogEntry>
  readonly explanation: Explanation | null
  readonly group: ErrorGroup | undefined
  readonly children: StoragePage<JobSummary>
  readonly usual: { readonly p50: number; readonly p95: number } | null
  /** Hides what was hidden in the input wherever else it stands. */
  readonly clean: (text: string) => string
  readonly input: unknown
  readonly result: unknown
}

export async function jobPage(visit: Visit): Promise<Page> {
  const { reader } = visit.site
  const id = visit.params['id']!
  const job = await reader.job(id)
  if (job === null) return missingPage(id)
  const story = await readStory(visit, job)
  const look = lookOf(job.phase, job.attempt)
  return {
    title: job.name,
    isLive: true,
    regions: [
      region(
        'job-head',
        html`${heading(html`${job.name} ${stateChip(look, job.state)}`, actions(visit, job))}
          <p class="lead">${summary(visit, story)}</p>`,
      ),
      ...(story.explanation === null ? [] : [region('job-why', why(visit, story.explanation))]),
      region(
        'job-body',
        html`<div class="story-column">
            ${panel('Story', timeline(visit, story), html`<small>${plural(job.history.length, 'step')}</small>`)}
            ${data(visit, story)}
          </div>
          <aside class="side-column" aria-label="Facts">
            ${panel('Facts', factList(visit, story))}${family(visit, story)}
          </aside>`,
        'job-grid',
      ),
    ],
  }
}

/** Ids tell their time, so a page that is gone can say that it once was. */
function missingPage(id: string): Page {
  return {
    title: 'Unknown job',
    status: 404,
    isLive: false,
    regions: [
      region(
        'missing',
        html`${heading('Unknown job')}
          <div class="panel">
            ${empty(html`There is no job <code>${id}</code>.`, html`<p>It never existed, or its retention has ended: succeeded and deleted jobs stay for a day unless they say otherwise.</p>`)}
          </div>`,
      ),
    ],
  }
}

const hourMs = 3_600_000

async function readStory(visit: Visit, job: JobDetails): Promise<Story> {
  const { reader } = visit.site
  const fingerprint = job.history.findLast((entry) => entry.fingerprint !== undefined)?.fingerprint
  const to = (Math.floor(visit.times.now / hourMs) + 1) * hourMs
  const [logs, explanation, groups, children, buckets] = await Promise.all([
    reader.logs(job.id, 0),
    isWaiting(job) ? reader.explain(job.id) : null,
    fingerprint === undefined ? null : reader.errors({ limit: 1, fingerprint }),
    job.children > 0 ? reader.jobs({ parent: job.id }, { limit: 12 }) : { items: [] },
    reader.series({ by: 'name', key: job.name, from: to - 24 * hourMs, to, step: 'hour' }),
  ])
  const total = buckets.reduce(addPoint, emptyPoint(0))
  const secrets = new Set<string>()
  const input = visit.redact.data(job.input, secrets)
  const result = visit.redact.data(job.result, secrets)
  const p50 = percentile(total.runMs, 0.5)
  return {
    job,
    logs,
    explanation,
    group: groups?.items[0],
    children,
    usual: p50 === null ? null : { p50, p95: percentile(total.runMs, 0.95)! },
    clean: (text) => visit.redact.text(text, secrets),
    input,
    result,
  }
}

function isWaiting({ phase }: JobDetails): boolean {
  return phase === 'ready' || phase === 'scheduled' || phase === 'awaiting' || phase === 'parked'
}

// --- the sentence and what can be done

function summary(visit: Visit, { job, clean, usual }: Story): Fragment {
  const { times } = visit
  const failures = job.attempts.filter(({ outcome }) => outcome === 'failed' || outcome === 'lost').length
  const lastError = job.error === undefined ? null : html`<strong>${clean(job.error.name)}</strong>`
  const ran = job.attempts.at(-1)
  switch (job.phase) {
    case 'succeeded':
      return html`Succeeded
      ${times.relative(job.finishedAt!)}${ran?.endedAt === undefined ? null : html` after running ${duration(Number(ran.endedAt) - Number(ran.startedAt))}`}${failures > 0 ? html`, at attempt ${job.attempt}` : null}.`
    case 'failed':
      return html`Failed for good
      ${times.relative(job.finishedAt!)}${lastError && html` with ${lastError}`}${job.attempt > 1 ? html` after ${plural(job.attempt, 'attempt')}` : null}.`
    case 'deleted':
      return html`Deleted
      ${times.relative(job.finishedAt!)}${job.reason === undefined ? null : html`: ${clean(job.reason)}`}.`
    case 'active':
      return html`Running for
      ${times.since(job.startedAt ?? job.createdAt)}${job.server === undefined ? null : html` on ${job.server}`}${usual === null ? null : html`; half of them take less than ${duration(usual.p50)}`}.${job.cancelling === undefined ? null : html` It was asked to stop.`}`
    case 'scheduled':
      return failures > 0
        ? html`Failed
          ${failures === 1 ? 'once' : failures === 2 ? 'twice' : `${failures} times`}${lastError && html` with ${lastError}`}.
          Next try ${times.relative(job.scheduledFor ?? job.createdAt)}.`
        : html`Due ${times.relative(job.scheduledFor ?? job.createdAt)}.`
    case 'awaiting':
      return html`Waits for ${plural(job.parents.filter(({ phase }) => phase !== 'succeeded').length, 'other job')} to
      end.`
    case 'parked':
      return html`No running server knows this kind of job.`
    default:
      return html`Waits for a free slot, since ${times.relative(job.history.at(-1)?.at ?? job.createdAt)}.`
  }
}

function actions(visit: Visit, job: JobDetails): Html {
  const at = visit.to(`/jobs/${job.id}`)
  const resource = { job: job.id, queue: job.queue }
  const isUnstarted = isWaiting(job)
  const canRun =
    job.phase === 'failed' ||
    job.phase === 'scheduled' ||
    job.phase === 'deleted' ||
    job.phase === 'parked' ||
    job.phase === 'succeeded'
  const runWord =
    job.phase === 'scheduled' && job.attempt === 0 ? 'Run now' : job.phase === 'succeeded' ? 'Run again' : 'Retry now'
  return html` ${canRun && visit.may('jobs.retry', resource) ? actionButton(`${at}/retry`, runWord, { className: job.phase === 'succeeded' ? '' : 'main' }) : null}
    ${job.phase === 'scheduled' && visit.may('jobs.reschedule', resource) ? askButton(`${at}/reschedule`, 'Reschedule…') : null}
    ${(isUnstarted || job.phase === 'active') && visit.may('jobs.cancel', resource) ? askButton(`${at}/cancel`, 'Cancel…', 'grave') : null}
    ${!isUnstarted && job.phase !== 'active' && job.phase !== 'deleted' && visit.may('jobs.delete', resource) ? askButton(`${at}/delete`, 'Delete…', 'grave') : null}
    <a class="button plain" href="${visit.to(`/api/v1/jobs/${job.id}`)}">JSON</a>`
}

function why(visit: Visit, { blockers }: Explanation): Html {
  return html`<div class="panel why">
    <div class="panel-head"><h2>Why is it waiting?</h2></div>
    <ol>
      ${blockers.map(
        ({ text, code, queue, until, jobs }) =>
          html`<li>
            <span
              >${linked(visit, text)}${until === undefined ? null : html` <span class="quiet">(${visit.times.relative(until)})</span>`}${jobs === undefined || jobs.length === 0 ? null : html` <span class="quiet">${jobs.slice(0, 5).map((id) => html`<a href="${visit.to(`/jobs/${id}`)}">${shortId(id)}</a> `)}</span>`}</span
            >${
              code === 'queue-paused' && queue !== undefined && visit.may('queues.pause', { queue })
                ? actionButton(visit.to(`/queues/${segment(queue)}/resume`), 'Resume the queue', { className: 'small' })
                : null
            }${code === 'no-server' ? html`<a class="button small plain" href="${visit.to('/servers')}">Servers</a>` : null}
          </li>`,
      )}
    </ol>
  </div>`
}

/** Instants in the sentences of the core become times of the viewer. */
function linked(visit: Visit, text: string): Fragment {
  return visit.redact
    .text(text)
    .split(/(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)/)
    .map((part, index) => (index % 2 === 0 ? part : visit.times.precise(new Date(part))))
}

// --- the story

interface Step {
  readonly at: Date
  readonly look: string
  readonly glyph: string
  readonly title: Fragment
  readonly body?: Fragment
  /** How long the job was in it. */
  readonly lasted?: number | undefined
  readonly isPlanned?: boolean
  readonly anchor?: string | undefined
}

function timeline(visit: Visit, story: Story): Html {
  const { job } = story
  const steps = job.history.map((entry, index) => stepOf(visit, story, entry, index))
  const planned = plannedStep(visit, job)
  const shown = planned === null ? steps : [...steps, planned]
  return html`<ol class="timeline">
    ${shown.map(
      ({ at, look, glyph, title, body, lasted, isPlanned, anchor }) =>
        html`<li
          class="step ${look} ${isPlanned === true ? 'planned' : ''}"
          ${anchor === undefined ? null : html`id="${anchor}"`}
        >
          <span class="dot" aria-hidden="true">${glyph}</span>
          <div class="step-line">
            <span class="step-title">${title}</span><span class="spacer"></span
            ><span class="step-at">${visit.times.precise(at)}</span>
          </div>
          ${body}
          ${lasted === undefined || lasted < 1 ? null : html`<p class="lasted">${look === 'processing' ? 'ran' : 'waited'} ${duration(lasted)}</p>`}
        </li>`,
    )}
  </ol>`
}

function stepOf(visit: Visit, story: Story, entry: HistoryEntry, index: number): Step {
  const { job, clean } = story
  const next = job.history[index + 1]
  const attempt = job.attempts.find(
    ({ startedAt, n }) => entry.phase === 'active' && n === entry.attempt && Number(startedAt) === Number(entry.at),
  )
  const look = lookOf(entry.phase, entry.attempt)
  const by = entry.by === undefined ? null : html` <span class="quiet">by ${entry.by}</span>`
  const reason =
    entry.reason === undefined || entry.phase === 'failed'
      ? null
      : html` <span class="quiet">— ${clean(entry.reason)}</span>`
  return {
    at: entry.at,
    look,
    glyph: glyphs[look],
    title:
      attempt === undefined
        ? html`${index === 0 ? firstTitle(job, entry) : stateTitle(look, entry.state)}${reason}${entry.phase === 'failed' ? null : by}`
        : html`Attempt ${attempt.n}${attempt.server === undefined ? null : html` on ${attempt.server}`}`,
    body:
      attempt === undefined
        ? entry.phase === 'failed'
          ? failure(story, entry)
          : null
        : attemptBody(visit, story, attempt),
    lasted: next === undefined || entry.phase === 'failed' ? undefined : Number(next.at) - Number(entry.at),
    anchor: attempt === undefined ? undefined : `attempt-${attempt.n}`,
  }
}

function firstTitle(job: JobDetails, entry: HistoryEntry): Fragment {
  return html`Created${job.recurring === undefined ? null : html` by recurring ${job.recurring.id}`},
  ${titles[lookOf(entry.phase)].toLowerCase()}${entry.phase === 'ready' ? html` in ${job.queue}` : null}`
}

function plannedStep(visit: Visit, job: JobDetails): Step | null {
  if (job.phase !== 'scheduled' || job.scheduledFor === undefined) return null
  return {
    at: job.scheduledFor,
    look: 'enqueued',
    glyph: glyphs.enqueued,
    title: html`${job.attempt > 0 ? `Attempt ${job.attempt + 1}` : 'First attempt'}
      <span class="quiet">planned ${visit.times.relative(job.scheduledFor)}</span>`,
    isPlanned: true,
  }
}

function failure({ clean }: Story, entry: HistoryEntry): Fragment {
  const { data } = entry
  if (typeof data === 'object' && data !== null && 'message' in data && 'name' in data)
    return errorView(data as Parameters<typeof errorView>[0], clean)
  return html`<p class="error-head">${clean(entry.reason ?? 'It failed.')}</p>`
}

function attemptBody(visit: Visit, { job, logs, clean }: Story, attempt: Attempt): Fragment {
  const own = logs.items.filter(
    (line) =>
      line.attempt === attempt.n &&
      line.at >= attempt.startedAt &&
      (attempt.endedAt === undefined || Number(line.at) <= Number(attempt.endedAt) + 1000),
  )
  const isLast = attempt === job.attempts.at(-1)
  const progress =
    isLast && job.progress !== undefined && (attempt.outcome === 'running' || job.progress.value < 1)
      ? job.progress
      : undefined
  return html`${progress === undefined ? null : html`<div class="progress"><progress max="1" value="${progress.value}" aria-label="Progress"></progress><span>${Math.round(progress.value * 100)} %</span>${progress.message === undefined ? null : html`<span class="quiet">${clean(progress.message)}</span>`}</div>`}
  ${
    own.length === 0
      ? null
      : html`<details class="logs" ${isLast ? html`open` : null}>
          <summary>${plural(own.length, 'log line')}</summary>
          <ol>
            ${own.map((line) => logLine(visit, line, clean))}
          </ol>
          ${logs.next === undefined || !isLast ? null : html`<p><a href="${visit.to(`/api/v1/jobs/${job.id}/logs`)}">More lines</a></p>`}
        </details>`
  }
  ${attempt.outcome === 'lost' ? html`<p class="warn-text">The server went away; the run was lost with it.</p>` : null}
  ${attempt.outcome === 'handed back' ? html`<p class="quiet">Handed back by a server that stopped; the attempt does not count.</p>` : null}`
}

function logLine(visit: Visit, { n, at, level, text, fields }: LogEntry, clean: (text: string) => string): Html {
  const data =
    fields === undefined || Object.keys(fields).length === 0 ? null : JSON.stringify(visit.redact.data(fields))
  return html`<li class="log ${logLevels.has(level) ? level : 'info'}" id="log-${n}">
    <span class="log-at">${visit.times.clock(at)}</span><span class="log-level">${level}</span
    ><span class="log-text">${clean(text)}${data === null ? null : html` <code>${clean(data)}</code>`}</span>
  </li>`
}

const logLevels = new Set(['debug', 'info', 'warn', 'error'])

// --- data and facts

function data(visit: Visit, { job, input, result }: Story): Html {
  const at = visit.to(`/api/v1/jobs/${job.id}`)
  const meta = Object.keys(job.meta).length === 0 ? null : visit.redact.data(job.meta)
  return html`${panel('Input', dataView(input, { label: 'input', full: `${at}/input` }))}
  ${job.phase === 'succeeded' ? panel('Result', job.resultMissing === undefined ? dataView(result, { label: 'result', full: `${at}/result` }) : html`<p class="pad warn-text">${job.resultMissing}</p>`) : null}
  ${meta === null ? null : panel('Meta', dataView(meta, { label: 'meta', full: at }))}`
}

function factList(visit: Visit, { job, usual, group }: Story): Html {
  const { times } = visit
  const date = (at: Date | undefined): Fragment => (at === undefined ? null : times.relative(at))
  const rows: (readonly [string, Fragment])[] = [
    ['Id', html`<code class="id">${job.id}</code>${copyButton(job.id, 'Copy the id')}`],
    ['Queue', html`<a href="${visit.to(`/queues/${segment(job.queue)}`)}">${job.queue}</a>`],
    [
      'Kind',
      html`<a href="${visit.to(`/jobs?q=${encodeURIComponent(`kind:${quoted(job.name)}`)}`)}">${job.name}</a
        >${job.version === 1 ? null : html` <span class="quiet">version ${job.version}</span>`}`,
    ],
    ['Priority', job.priority === 0 ? null : job.priority],
    [
      'Attempts',
      job.attempt === 0
        ? null
        : html`${count(job.attempt)}${job.crashes > 0 ? html` <span class="warn-text">${plural(job.crashes, 'run')} lost</span>` : null}`,
    ],
    [
      'Tags',
      job.tags.length === 0
        ? null
        : job.tags.map(
            (tag) =>
              html`<a class="tag" href="${visit.to(`/jobs?q=${encodeURIComponent(`tag:${quoted(tag)}`)}`)}">${tag}</a>`,
          ),
    ],
    [
      'Recurring',
      job.recurring === undefined
        ? null
        : html`<a href="${visit.to(`/recurring/${segment(job.recurring.id)}`)}">${job.recurring.id}</a>`,
    ],
    ['Created', times.relative(job.createdAt)],
    ['Due', date(job.scheduledFor)],
    ['Finished', date(job.finishedAt)],
    ['Expires', date(job.expiresAt)],
    ['Removed', date(job.removedAt)],
    [
      'Usually',
      usual === null
        ? null
        : html`<span title="half of them">p50 ${duration(usual.p50)}</span>,
            <span title="19 of 20">p95 ${duration(usual.p95)}</span>`,
    ],
    [
      'Like this',
      group === undefined
        ? null
        : html`<a href="${visit.to(`/errors/${group.fingerprint}`)}">${plural(group.count, 'failure')}</a>`,
    ],
  ]
  return facts(rows.filter(([, value]) => value !== null))
}

function family(visit: Visit, { job, children }: Story): Fragment {
  if (job.parents.length === 0 && job.children === 0) return null
  return html`${
    job.parents.length === 0
      ? null
      : panel(
          'Waits for',
          html`<ul class="rows">
            ${job.parents.slice(0, 20).map(
              ({ id, phase }) =>
                html`<li>
                  <a href="${visit.to(`/jobs/${id}`)}"><code>${shortId(id)}</code></a
                  ><span class="spacer"></span
                  >${phase === 'gone' ? html`<span class="quiet">gone</span>` : stateChip(lookOf(phase))}
                </li>`,
            )}
          </ul>`,
        )
  }${
    job.children === 0
      ? null
      : panel(
          html`Followed by <small>${plural(job.children, 'job')}</small>`,
          html`<ul class="rows">
            ${children.items.map((child) => html`<li><a class="cut" href="${visit.to(`/jobs/${child.id}`)}">${child.name}</a><span class="spacer"></span>${stateChip(lookOf(child.state.phase, child.attempt), child.state.name)}</li>`)}
          </ul>`,
          job.children > children.items.length
            ? html`<a class="more" href="${visit.to(`/jobs?q=parent:${job.id}`)}">All</a>`
            : null,
        )
  }`
}

/** The time part is much alike; the end tells jobs apart. */
export function shortId(id: string): string {
  return `${id.slice(0, 4)}…${id.slice(-6)}`
}

/** A name as a term of a search. */
export function quoted(name: string): string {
  return /^[^\s",]+$/.test(name) ? name : `"${name.replace(/["\\]/g, '\\$&')}"`
}
