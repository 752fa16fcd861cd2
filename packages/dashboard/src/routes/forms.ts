import { limitQueue, pauseQueue, pauseUntil, resumeQueue } from '../commands/queue-commands.ts'
import { jobCommands, signature } from '../commands/job-command.ts'
import { readSchedule } from '../pages/dialogs.ts'
import { demandPermission, readAction, readTarget } from '../pages/operations.ts'
import { Problem } from '../problem.ts'
import { type FormRoute, form } from '../route.ts'
import { backTo, saveSettings } from '../settings.ts'
import type { Notice } from '../views/notice.ts'
import type { Visit } from '../visit.ts'
import { segment } from '../visit.ts'
import { record } from './record.ts'

/** What forms of pages send. Each goes back to a page, so that a reload repeats nothing. */
export const forms: readonly FormRoute[] = [
  ...jobCommands.map(({ action, permission, summary, run }) =>
    form(`/jobs/:id/${action}`, permission, summary, async (visit, fields) => {
      const id = visit.params['id']!
      const reason = text(fields, 'reason')
      const done = await run(visit, id, { reason, from: text(fields, 'from'), in: text(fields, 'in') })
      record(visit, { action: `job.${action}`, target: id, reason, outcome: done.applied ? 'done' : 'unchanged' })
      return goTo(visit, `/jobs/${id}`, done.notice)
    }),
  ),
  form('/queues/:name/pause', 'queues.pause', 'Starts no more jobs of a queue.', async (visit, fields) => {
    const name = visit.params['name']!
    const reason = text(fields, 'reason')
    await pauseQueue(visit, name, { reason, for: text(fields, 'for') })
    record(visit, { action: 'queue.pause', target: name, reason, outcome: 'done' })
    return goTo(visit, `/queues/${segment(name)}`, 'paused')
  }),
  form('/queues/:name/resume', 'queues.pause', 'Starts jobs of a queue again.', async (visit) => {
    const name = visit.params['name']!
    await resumeQueue(visit, name)
    record(visit, { action: 'queue.resume', target: name, outcome: 'done' })
    return goTo(visit, `/queues/${segment(name)}`, 'resumed')
  }),
  form('/queues/:name/limits', 'queues.limit', 'Limits how much of a queue runs.', async (visit, fields) => {
    const name = visit.params['name']!
    const limit = wholeNumber(fields, 'rateLimit')
    await limitQueue(visit, name, {
      maxActive: wholeNumber(fields, 'maxActive'),
      rate: limit === null ? null : { limit, per: text(fields, 'ratePer') ?? '1m' },
    })
    record(visit, { action: 'queue.limit', target: name, outcome: 'done' })
    return goTo(visit, `/queues/${segment(name)}`, 'limited')
  }),
  form('/recurring/:id/trigger', 'recurring.trigger', 'Runs a recurring job now.', async (visit) => {
    const id = visit.params['id']!
    const job = await visit.site.client.recurring.trigger(id)
    record(visit, { action: 'recurring.trigger', target: id, outcome: job === null ? 'unchanged' : 'done' })
    return job === null ? goTo(visit, '/recurring', 'gone') : goTo(visit, `/jobs/${job}`, 'triggered')
  }),
  form('/recurring/:id/pause', 'recurring.pause', 'Makes no more runs of a recurring job.', async (visit, fields) => {
    const id = visit.params['id']!
    const reason = text(fields, 'reason')
    const until = pauseUntil({ for: text(fields, 'for') })
    const done = await visit.site.client.recurring.pause(id, { ...signature(visit, reason), until })
    record(visit, { action: 'recurring.pause', target: id, reason, outcome: done ? 'done' : 'unchanged' })
    return goBack(visit, id, done ? 'paused' : 'gone')
  }),
  form('/recurring/:id/resume', 'recurring.pause', 'Makes runs of a recurring job again.', async (visit) => {
    const id = visit.params['id']!
    const done = await visit.site.client.recurring.resume(id)
    record(visit, { action: 'recurring.resume', target: id, outcome: done ? 'done' : 'unchanged' })
    return goBack(visit, id, done ? 'resumed' : 'gone')
  }),
  form('/recurring/:id/edit', 'recurring.edit', 'Gives a recurring job another schedule.', async (visit, fields) => {
    const id = visit.params['id']!
    const schedule = readSchedule({
      cron: fields.get('cron') ?? '',
      zone: fields.get('zone') ?? '',
      every: fields.get('every') ?? '',
    })
    const done = await visit.site.client.recurring.reschedule(id, schedule)
    record(visit, { action: 'recurring.edit', target: id, outcome: done ? 'done' : 'unchanged' })
    return goBack(visit, id, done ? 'edited' : 'gone')
  }),
  form('/recurring/:id/remove', 'recurring.remove', 'Removes a recurring job.', async (visit, fields) => {
    const id = visit.params['id']!
    const done = await visit.site.client.recurring.remove(id)
    record(visit, {
      action: 'recurring.remove',
      target: id,
      reason: text(fields, 'reason'),
      outcome: done ? 'done' : 'unchanged',
    })
    return goTo(visit, '/recurring', done ? 'removed' : 'gone')
  }),
  form('/operations', 'jobs.read', 'Begins an operation.', async (visit, fields) => {
    const action = readAction(fields.get('action'))
    demandPermission(visit, action)
    const ids = fields.getAll('id')
    const expected = wholeNumber(fields, 'expected') ?? undefined
    const typed = fields.get('typed')
    if (typed !== null && typed !== String(expected))
      throw new Problem(400, 'invalid', 'The number typed is not the number of jobs.')
    const target = await readTarget(
      visit,
      fields.get('q') ?? '',
      ids.length === 0 ? undefined : ids,
      wholeNumber(fields, 'asOf') ?? undefined,
    )
    const operation = await visit.site.operations.start(visit, action, target, {
      expected,
      reason: text(fields, 'reason'),
    })
    return new Response(null, { status: 303, headers: { location: visit.to(`/operations/${operation.id}`) } })
  }),
  form('/operations/:id/abort', 'jobs.read', 'Stops an operation; what it did stays done.', async (visit) => {
    const id = visit.params['id']!
    const operation = visit.site.operations.get(id)
    if (operation === null) throw new Problem(404, 'not-found', 'There is no such operation.')
    demandPermission(visit, operation.action)
    visit.site.operations.abort(id)
    record(visit, { action: 'operation.abort', target: id, outcome: 'done' })
    return new Response(null, { status: 303, headers: { location: visit.to(`/operations/${id}`) } })
  }),
  form('/settings', 'jobs.read', 'Keeps what a viewer prefers in the browser.', saveSettings),
]

function text(fields: URLSearchParams, name: string): string | undefined {
  const value = fields.get(name)
  return value === null || value.trim() === '' ? undefined : value.trim().slice(0, 500)
}

function wholeNumber(fields: URLSearchParams, name: string): number | null {
  const value = text(fields, name)
  if (value === undefined) return null
  if (!/^\d{1,15}$/.test(value)) throw new Problem(400, 'invalid', `“${name}” is a whole number.`)
  return Number(value)
}

function goTo(visit: Visit, path: string, done: Notice): Response {
  visit.site.reader.forget()
  return new Response(null, { status: 303, headers: { location: backTo(visit, path, done) } })
}

function goBack(visit: Visit, id: string, done: Notice): Response {
  return done === 'gone' ? goTo(visit, '/recurring', done) : goTo(visit, `/recurring/${segment(id)}`, done)
}
