import { nextOccurrences, describeSchedule, parseSchedule, type Schedule } from '@q/core'
import { Problem, problemOf } from '../problem.ts'
import type { Fragment } from '../views/html.ts'
import { html } from '../views/html.ts'
import type { Page } from '../views/page.ts'
import { region } from '../views/page.ts'
import { heading } from '../views/parts.ts'
import type { Visit } from '../visit.ts'
import { segment } from '../visit.ts'
import { nextRuns } from './recurring.ts'

export interface Question {
  readonly title: string
  readonly body: Fragment
  /** Where the form goes. */
  readonly action: string
  readonly fields?: readonly (readonly [string, string])[] | undefined
  /** What the button says; null when there is nothing to do. */
  readonly confirm: string | null
  readonly isGrave?: boolean
  /** Has to be typed before it goes on. */
  readonly typed?: string | undefined
  /** Offers a field for why. Default true. */
  readonly asksReason?: boolean
  /** Where "never mind" leads. */
  readonly back: string
}

/** A page that asks; the script shows its form as a dialog over the page it was asked from. */
export function dialog(visit: Visit, question: Question): Page {
  const { title, body, action, fields = [], confirm, isGrave = false, typed, asksReason = true, back } = question
  const hidden = fields.map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`)
  return {
    title,
    isLive: false,
    regions: [
      region(
        'dialog',
        html`${heading(title)}
          <form method="post" action="${action}" class="panel ask" data-ask>
            ${body}${hidden}
            ${
              confirm !== null && asksReason
                ? html`<label class="field"
                    ><span>Why <span class="quiet">(stands in the history)</span></span
                    ><input name="reason" maxlength="200" autocomplete="off"
                  /></label>`
                : null
            }
            ${
              typed === undefined
                ? null
                : html`<label class="field"
                    ><span>Type <strong>${typed}</strong> to go on</span
                    ><input name="typed" required pattern="${typed}" autocomplete="off" inputmode="numeric"
                  /></label>`
            }
            <div class="ask-buttons">
              <a class="button" href="${visit.to(back)}" data-close ${isGrave ? html`data-first` : null}>Never mind</a
              >${confirm === null ? null : html`<button class="button ${isGrave ? 'grave solid' : 'main'}" ${isGrave ? null : html`data-first`}>${confirm}</button>`}
            </div>
          </form>`,
        'narrow',
      ),
    ],
  }
}

export async function jobDialog(visit: Visit, ask: 'cancel' | 'delete' | 'reschedule'): Promise<Page> {
  const id = visit.params['id']!
  const job = await visit.site.reader.job(id)
  if (job === null) throw new Problem(404, 'not-found', 'There is no such job.')
  const isRunning = job.phase === 'active'
  const what = html`<p><strong>${job.name}</strong> <code class="quiet">${id}</code></p>`
  const base = { action: visit.to(`/jobs/${id}/${ask}`), fields: [['from', job.state]] as const, back: `/jobs/${id}` }
  if (ask === 'cancel') {
    const words = isRunning
      ? 'The job is asked to stop; its code must honour the signal. A handler that has not stopped after ten seconds is left behind, and whatever it returns does not count.'
      : 'It will not run. It stays readable for a day, and can be retried.'
    return dialog(visit, {
      ...base,
      title: isRunning ? 'Ask this job to stop?' : 'Cancel this job?',
      body: html`${what}
        <p>${words}</p>`,
      confirm: isRunning ? 'Ask it to stop' : 'Cancel the job',
      isGrave: true,
    })
  }
  if (ask === 'delete') {
    return dialog(visit, {
      ...base,
      title: 'Delete this job?',
      body: html`${what}
        <p>It stays readable, and can be retried, until its retention ends.</p>`,
      confirm: 'Delete the job',
      isGrave: true,
    })
  }
  return dialog(visit, {
    ...base,
    title: 'When should it run?',
    body: html`${what}<label class="field"
        >From now<input name="in" required placeholder="10m, 2h, 1d" pattern="\\d+(\\.\\d+)?(ms|s|m|h|d|w)"
      /></label>`,
    confirm: 'Reschedule',
  })
}

export async function pauseQueueDialog(visit: Visit): Promise<Page> {
  const name = visit.params['name']!
  return dialog(visit, {
    title: `Pause ${name}?`,
    body: html`<p>No job of this queue is started any more; what runs goes on. Jobs can still be enqueued.</p>
      ${untilField}`,
    action: visit.to(`/queues/${segment(name)}/pause`),
    confirm: 'Pause the queue',
    back: `/queues/${segment(name)}`,
  })
}

const untilField: Fragment = html`<label class="field"
  >Resume by itself<select name="for">
    <option value="">not by itself</option>
    <option value="15m">in 15 minutes</option>
    <option value="1h">in an hour</option>
    <option value="8h">in 8 hours</option>
    <option value="1d">in a day</option>
  </select></label
>`

export async function limitQueueDialog(visit: Visit): Promise<Page> {
  const name = visit.params['name']!
  const config = (await visit.site.reader.queues()).find((queue) => queue.name === name)
  return dialog(visit, {
    title: `Limits of ${name}`,
    body: html`<label class="field"
        >Running at once, over all servers<input
          name="maxActive"
          type="number"
          min="1"
          value="${config?.maxActive ?? ''}"
          placeholder="no limit"
      /></label>
      <div class="field-row">
        <label class="field"
          >Starts<input
            name="rateLimit"
            type="number"
            min="1"
            value="${config?.rate?.max ?? ''}"
            placeholder="no limit" /></label
        ><label class="field"
          >per<select name="ratePer">
            ${['1s', '1m', '1h', '1d'].map((per) => html`<option value="${per}" ${perMs[per] === config?.rate?.per ? html`selected` : null}>${perWords[per]}</option>`)}
          </select></label
        >
      </div>`,
    action: visit.to(`/queues/${segment(name)}/limits`),
    confirm: 'Set the limits',
    asksReason: false,
    back: `/queues/${segment(name)}`,
  })
}

const perMs: Readonly<Record<string, number>> = { '1s': 1000, '1m': 60_000, '1h': 3_600_000, '1d': 86_400_000 }
const perWords: Readonly<Record<string, string>> = { '1s': 'second', '1m': 'minute', '1h': 'hour', '1d': 'day' }

export async function pauseRecurringDialog(visit: Visit): Promise<Page> {
  const id = visit.params['id']!
  return dialog(visit, {
    title: `Pause ${id}?`,
    body: html`<p>No run is made while it is paused, and none is made up for afterwards.</p>
      ${untilField}`,
    action: visit.to(`/recurring/${segment(id)}/pause`),
    confirm: 'Pause it',
    back: `/recurring/${segment(id)}`,
  })
}

export async function removeRecurringDialog(visit: Visit): Promise<Page> {
  const id = visit.params['id']!
  return dialog(visit, {
    title: `Remove ${id}?`,
    body: html`<p>
      It makes no more runs. Those it made stay. Code that puts it again at its next start brings it back.
    </p>`,
    action: visit.to(`/recurring/${segment(id)}/remove`),
    confirm: 'Remove it',
    isGrave: true,
    back: `/recurring/${segment(id)}`,
  })
}

/** The schedule as it would be: its words and its next runs, before anything is changed. */
export async function editRecurringDialog(visit: Visit): Promise<Page> {
  const id = visit.params['id']!
  const job = (await visit.site.reader.recurring({ limit: 1, ids: [id] })).items[0]
  if (job === undefined) throw new Problem(404, 'not-found', 'There is no such recurring job.')
  const { schedule } = job
  const now: ScheduleFields = {
    cron: visit.query.get('cron') ?? schedule.cron ?? '',
    zone: visit.query.get('zone') ?? schedule.timeZone ?? 'UTC',
    every: visit.query.get('every') ?? (schedule.cron === undefined ? String(schedule.every) : ''),
  }
  return dialog(visit, {
    title: `Schedule of ${id}`,
    body: html`<div class="field-row">
        <label class="field"
          >Cron<input
            name="cron"
            value="${now.cron}"
            spellcheck="false"
            autocomplete="off"
            placeholder="0 3 * * *"
            data-preview /></label
        ><label class="field">Time zone<input name="zone" value="${now.zone}" autocomplete="off" data-preview /></label>
      </div>
      <label class="field"
        >or every<input name="every" value="${now.every}" autocomplete="off" placeholder="15m" data-preview
      /></label>
      <div id="preview">${schedulePreview(visit, now)}</div>
      <p class="quiet">Code that puts it again at its next start brings its own schedule back.</p>`,
    action: visit.to(`/recurring/${segment(id)}/edit`),
    confirm: 'Change the schedule',
    asksReason: false,
    back: `/recurring/${segment(id)}`,
  })
}

export interface ScheduleFields {
  readonly cron: string
  readonly zone: string
  readonly every: string
}

export function readSchedule({ cron, zone, every }: ScheduleFields): Schedule {
  if (cron.trim() !== '') return { cron: cron.trim(), timeZone: zone.trim() === '' ? 'UTC' : zone.trim() }
  const text = every.trim()
  return { every: (/^\d+$/.test(text) ? Number(text) : text) as '1m' }
}

export function schedulePreview(visit: Visit, fields: ScheduleFields): Fragment {
  try {
    const schedule = readSchedule(fields)
    const words = describeSchedule(parseSchedule(schedule))
    const next = (howMany: number): Date[] => nextOccurrences(schedule, { count: howMany, after: visit.times.now })
    return html`<p><strong>${words}</strong>${schedule.cron === undefined ? null : ` ${schedule.timeZone ?? 'UTC'}`}</p>
      ${nextRuns(visit, { schedule, next })}`
  } catch (error) {
    return html`<p class="bad-text">${problemOf(error).message}</p>`
  }
}
