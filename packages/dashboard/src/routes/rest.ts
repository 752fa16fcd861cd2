import { percentile } from '@q/core/storage'
import type { RecurringJob } from '@q/core'
import * as z from 'zod'
import {
  commandSchema,
  errorGroupJson,
  errorGroupSchema,
  explanationSchema,
  jobAnswer,
  jobAnswerSchema,
  jobPageSchema,
  logsJson,
  logsSchema,
  metricSchema,
  operationJson,
  operationSchema,
  pointSchema,
  queueJson,
  queueSchema,
  recurringJson,
  recurringSchema,
  runJson,
  runSchema,
  serverJson,
  serverSchema,
  statsJson,
  statsSchema,
} from '../api/answers.ts'
import { iso, jobJson } from '../api/job-json.ts'
import { jobCommands, signature, type Wish } from '../commands/job-command.ts'
import { limitQueue, pauseQueue, pauseUntil, resumeQueue } from '../commands/queue-commands.ts'
import { readSchedule } from '../pages/dialogs.ts'
import { metricRows } from '../pages/metrics.ts'
import { demandPermission, mostPicked, readTarget } from '../pages/operations.ts'
import { Problem } from '../problem.ts'
import { ranges, readActivity, readTotals } from '../reads/activity.ts'
import { readHealth } from '../reads/health.ts'
import { readQueueRows } from '../reads/queue-rows.ts'
import { type ApiRoute, api } from '../route.ts'
import { countMatching } from '../search/count-matching.ts'
import { parseSearch } from '../search/parse-search.ts'
import { searchQuery } from '../search/search-query.ts'
import type { Visit } from '../visit.ts'
import { record } from './record.ts'

const v1 = '/api/v1'
const cursor = z.string().max(1000).optional()
const limit = z.coerce.number().int().min(1).max(200).default(50)
const range = z.enum(ranges)
const reason = z.string().max(500).optional()
const wait = z.string().max(40).optional()
const list = <T extends z.ZodType>(item: T): z.ZodType =>
  z.strictObject({ items: z.array(item), next: z.string().nullable() })
const done = z.strictObject({ applied: z.literal(true) })
const nothing = z.strictObject({})

const from = z.string().max(255).optional()
const wish: z.ZodType<Wish> = z.strictObject({ reason, from })
const timedWish: z.ZodType<Wish> = z.strictObject({
  reason,
  from,
  in: wait,
  at: z.iso.datetime({ offset: true }).optional(),
})

const reads: readonly ApiRoute[] = [
  api({
    path: `${v1}/stats`,
    summary: 'Counts, rates, slots and what needs attention.',
    query: nothing,
    answer: statsSchema,
    answerTo: async (visit) => statsJson(visit, await readHealth(visit.site.reader)),
  }),
  api({
    path: `${v1}/series`,
    summary: 'What happened over time, of everything, one kind or one queue.',
    query: z.strictObject({
      range: range.default('1h'),
      by: z.enum(['all', 'kind', 'queue']).default('all'),
      key: z.string().max(255).optional(),
    }),
    answer: z.strictObject({ range, stepMs: z.int(), points: z.array(pointSchema) }),
    async answerTo(visit, { query }) {
      const by = query.by === 'kind' ? 'name' : query.by
      if (by !== 'all' && query.key === undefined) throw new Problem(400, 'invalid', `Say which ${query.by}: \`key\`.`)
      const activity = await readActivity(
        visit.site.reader,
        visit.times.now,
        query.range,
        by === 'all' ? { by } : { by, key: query.key },
      )
      return {
        range: query.range,
        stepMs: activity.pointMs,
        points: activity.points.map(({ at, created, ok, failed, retried, runMs, waitMs }) => ({
          at: iso(at),
          created,
          ok,
          failed,
          retried,
          runP50Ms: percentile(runMs, 0.5),
          runP95Ms: percentile(runMs, 0.95),
          waitP50Ms: percentile(waitMs, 0.5),
          waitP95Ms: percentile(waitMs, 0.95),
        })),
      }
    },
  }),
  api({
    path: `${v1}/jobs`,
    summary: 'Jobs of a search, a page at a time.',
    query: z.strictObject({
      q: z.string().max(1000).default(''),
      sort: z.enum(['newest', 'oldest', 'claim', 'due']).default('newest'),
      limit,
      after: cursor,
    }),
    answer: jobPageSchema,
    async answerTo(visit, { query }) {
      const { reader } = visit.site
      const { search, problems } = parseSearch(query.q, visit.times.now)
      if (problems.length > 0) throw new Problem(400, 'invalid', problems.join(' '))
      const asked = await searchQuery(search, reader)
      if (asked === null) return { items: [], next: null, searched: null, count: { value: 0, exact: true } }
      const [page, counts] = await Promise.all([
        reader.jobs(asked, { limit: query.limit, cursor: query.after, order: query.sort }),
        reader.counts(),
      ])
      const count = await countMatching(reader, asked, search.states, counts, page)
      return {
        items: page.items.map((job) => jobJson(visit, job)),
        next: page.next ?? null,
        searched: page.searched ?? null,
        count,
      }
    },
  }),
  api({
    path: `${v1}/jobs/:id`,
    summary: 'Everything about one job.',
    answer: jobAnswerSchema,
    async answerTo(visit) {
      const job = await visit.site.reader.job(visit.params['id']!)
      if (job === null) throw noJob()
      return jobAnswer(visit, job)
    },
  }),
  api({
    path: `${v1}/jobs/:id/logs`,
    summary: 'What the runs of a job wrote.',
    query: z.strictObject({ after: z.coerce.number().int().min(0).default(0) }),
    answer: logsSchema,
    async answerTo(visit, { query }) {
      const page = await visit.site.reader.logs(visit.params['id']!, query.after)
      return logsJson(visit, page.items, page.next !== undefined)
    },
  }),
  api({
    path: `${v1}/jobs/:id/explain`,
    summary: 'Why a job does not run.',
    answer: explanationSchema,
    async answerTo(visit) {
      const explanation = await visit.site.reader.explain(visit.params['id']!)
      if (explanation === null) throw noJob()
      return {
        id: explanation.id,
        status: explanation.status,
        blockers: explanation.blockers.map(({ code, text, until, jobs, queue }) => ({
          code,
          text: visit.redact.text(text),
          until: iso(until),
          jobs: jobs ?? [],
          queue: queue ?? null,
        })),
      }
    },
  }),
  api({
    path: `${v1}/suggest`,
    summary: 'Names that begin like this, for a search.',
    query: z.strictObject({
      field: z.enum(['kind', 'queue', 'tag', 'recurring', 'server']),
      prefix: z.string().max(255).default(''),
    }),
    answer: z.strictObject({ items: z.array(z.string()) }),
    answerTo: async (visit, { query }) => ({ items: await suggest(visit, query.field, query.prefix) }),
  }),
  api({
    path: `${v1}/errors`,
    summary: 'Failures, grouped by what went wrong.',
    query: z.strictObject({ limit, after: cursor }),
    answer: list(errorGroupSchema),
    async answerTo(visit, { query }) {
      const page = await visit.site.reader.errors({ limit: query.limit, cursor: query.after })
      return { items: page.items.map((group) => errorGroupJson(visit, group)), next: page.next ?? null }
    },
  }),
  api({
    path: `${v1}/errors/:fingerprint`,
    summary: 'One group of failures.',
    answer: errorGroupSchema,
    async answerTo(visit) {
      const [group] = (await visit.site.reader.errors({ limit: 1, fingerprint: visit.params['fingerprint'] })).items
      if (group === undefined) throw new Problem(404, 'not-found', 'There is no such group of errors.')
      return errorGroupJson(visit, group)
    },
  }),
  api({
    path: `${v1}/queues`,
    summary: 'Queues, the longest wait first.',
    answer: list(queueSchema),
    answerTo: async (visit) => ({
      items: (await readQueueRows(visit.site.reader)).map((row) => queueJson(visit, row)),
      next: null,
    }),
  }),
  api({
    path: `${v1}/queues/:name`,
    summary: 'One queue.',
    answer: queueSchema,
    async answerTo(visit) {
      const row = (await readQueueRows(visit.site.reader)).find(({ name }) => name === visit.params['name'])
      if (row === undefined) throw new Problem(404, 'not-found', 'There is no such queue.')
      return queueJson(visit, row)
    },
  }),
  api({
    path: `${v1}/recurring`,
    summary: 'Recurring jobs, by id.',
    query: z.strictObject({ limit, after: cursor }),
    answer: list(recurringSchema),
    async answerTo(visit, { query }) {
      const page = await visit.site.reader.recurring({ limit: query.limit, cursor: query.after })
      return { items: page.items.map((job) => recurringJson(visit, job)), next: page.next ?? null }
    },
  }),
  api({
    path: `${v1}/recurring/:id`,
    summary: 'One recurring job and its last runs.',
    answer: z.strictObject({ recurring: recurringSchema, runs: z.array(runSchema) }),
    async answerTo(visit) {
      const job = await recurringJob(visit)
      return { recurring: recurringJson(visit, job), runs: (await visit.site.reader.runs(job.id, 50)).map(runJson) }
    },
  }),
  api({
    path: `${v1}/recurring/:id/next`,
    summary: 'The next runs of a recurring job.',
    query: z.strictObject({ n: z.coerce.number().int().min(1).max(100).default(5) }),
    answer: z.strictObject({ items: z.array(z.iso.datetime()) }),
    answerTo: async (visit, { query }) => ({
      items: (await recurringJob(visit)).next(query.n).map((at) => at.toISOString()),
    }),
  }),
  api({
    path: `${v1}/servers`,
    summary: 'Servers and what they hold.',
    answer: list(serverSchema),
    answerTo: async (visit) => ({ items: (await visit.site.reader.servers()).map(serverJson), next: null }),
  }),
  api({
    path: `${v1}/metrics`,
    summary: 'Runs and durations by kind or queue.',
    query: z.strictObject({ by: z.enum(['kind', 'queue']).default('kind'), range: range.default('24h') }),
    answer: list(metricSchema),
    async answerTo(visit, { query }) {
      const rows = metricRows(
        await readTotals(visit.site.reader, visit.times.now, query.range, query.by === 'kind' ? 'name' : 'queue'),
      )
      return {
        items: rows.slice(0, 500).map(({ key, runs, failedShare, run, waitP95, totalMs }) => ({
          key,
          runs,
          failedShare,
          runMs: { p50: run[0], p95: run[1], p99: run[2] },
          waitP95Ms: waitP95,
          totalMs,
        })),
        next: null,
      }
    },
  }),
  api({
    path: `${v1}/operations`,
    summary: 'Operations of this process, newest first.',
    answer: list(operationSchema),
    answerTo: async (visit) => ({
      items: visit.site.operations.list().map((operation) => operationJson(visit, operation)),
      next: null,
    }),
  }),
  api({
    path: `${v1}/operations/:id`,
    summary: 'One operation.',
    answer: operationSchema,
    async answerTo(visit) {
      return operationJson(visit, operationOf(visit))
    },
  }),
]

const commands: readonly ApiRoute[] = [
  ...jobCommands.map(({ action, permission, summary, run }) =>
    api({
      method: 'POST',
      path: `${v1}/jobs/:id/${action}`,
      permission,
      summary,
      body: action === 'reschedule' ? timedWish : wish,
      answer: commandSchema,
      async answerTo(visit, { body }) {
        const id = visit.params['id']!
        const result = await run(visit, id, body)
        record(visit, {
          action: `job.${action}`,
          target: id,
          reason: body.reason,
          outcome: result.applied ? 'done' : 'unchanged',
        })
        if (result.notice === 'missing') throw noJob()
        if (!result.applied)
          throw new Problem(
            409,
            result.notice === 'held' ? 'duplicate' : 'state-changed',
            'Nothing was done: the job is in another state than expected, or another one holds its unique key.',
            { state: result.state ?? null },
          )
        return { applied: true, outcome: result.notice }
      },
    }),
  ),
  api({
    method: 'POST',
    path: `${v1}/queues/:name/pause`,
    permission: 'queues.pause',
    summary: 'Starts no more jobs of a queue.',
    body: z.strictObject({ reason, for: wait }),
    answer: done,
    async answerTo(visit, { body }) {
      const name = visit.params['name']!
      await pauseQueue(visit, name, body)
      record(visit, { action: 'queue.pause', target: name, reason: body.reason, outcome: 'done' })
      return { applied: true }
    },
  }),
  api({
    method: 'POST',
    path: `${v1}/queues/:name/resume`,
    permission: 'queues.pause',
    summary: 'Starts jobs of a queue again.',
    body: nothing,
    answer: done,
    async answerTo(visit) {
      const name = visit.params['name']!
      await resumeQueue(visit, name)
      record(visit, { action: 'queue.resume', target: name, outcome: 'done' })
      return { applied: true }
    },
  }),
  api({
    method: 'PUT',
    path: `${v1}/queues/:name/limits`,
    permission: 'queues.limit',
    summary: 'Limits how much of a queue runs.',
    body: z.strictObject({
      maxActive: z.int().min(1).nullable(),
      rate: z.strictObject({ limit: z.int().min(1), per: z.string().max(40) }).nullable(),
    }),
    answer: done,
    async answerTo(visit, { body }) {
      const name = visit.params['name']!
      await limitQueue(visit, name, body)
      record(visit, { action: 'queue.limit', target: name, outcome: 'done' })
      return { applied: true }
    },
  }),
  api({
    method: 'POST',
    path: `${v1}/recurring/:id/trigger`,
    permission: 'recurring.trigger',
    summary: 'Runs a recurring job now.',
    body: nothing,
    answer: z.strictObject({ jobId: z.string() }),
    status: 201,
    async answerTo(visit) {
      const id = visit.params['id']!
      const jobId = await visit.site.client.recurring.trigger(id)
      if (jobId === null) throw noRecurring()
      record(visit, { action: 'recurring.trigger', target: id, outcome: 'done' })
      return { jobId }
    },
  }),
  api({
    method: 'POST',
    path: `${v1}/recurring/:id/pause`,
    permission: 'recurring.pause',
    summary: 'Makes no more runs of a recurring job.',
    body: z.strictObject({ reason, for: wait }),
    answer: done,
    async answerTo(visit, { body }) {
      const id = visit.params['id']!
      if (!(await visit.site.client.recurring.pause(id, { ...signature(visit, body.reason), until: pauseUntil(body) })))
        throw noRecurring()
      record(visit, { action: 'recurring.pause', target: id, reason: body.reason, outcome: 'done' })
      return { applied: true }
    },
  }),
  api({
    method: 'POST',
    path: `${v1}/recurring/:id/resume`,
    permission: 'recurring.pause',
    summary: 'Makes runs of a recurring job again.',
    body: nothing,
    answer: done,
    async answerTo(visit) {
      const id = visit.params['id']!
      if (!(await visit.site.client.recurring.resume(id))) throw noRecurring()
      record(visit, { action: 'recurring.resume', target: id, outcome: 'done' })
      return { applied: true }
    },
  }),
  api({
    method: 'PUT',
    path: `${v1}/recurring/:id/schedule`,
    permission: 'recurring.edit',
    summary: 'Gives a recurring job another schedule.',
    body: z.strictObject({
      cron: z.string().max(500).default(''),
      zone: z.string().max(64).default(''),
      every: z.string().max(40).default(''),
    }),
    answer: done,
    async answerTo(visit, { body }) {
      const id = visit.params['id']!
      if (!(await visit.site.client.recurring.reschedule(id, readSchedule(body)))) throw noRecurring()
      record(visit, { action: 'recurring.edit', target: id, outcome: 'done' })
      return { applied: true }
    },
  }),
  api({
    method: 'DELETE',
    path: `${v1}/recurring/:id`,
    permission: 'recurring.remove',
    summary: 'Removes a recurring job.',
    answer: done,
    async answerTo(visit) {
      const id = visit.params['id']!
      if (!(await visit.site.client.recurring.remove(id))) throw noRecurring()
      record(visit, { action: 'recurring.remove', target: id, outcome: 'done' })
      return { applied: true }
    },
  }),
  api({
    method: 'POST',
    path: `${v1}/operations`,
    summary: 'Retries, cancels or deletes all jobs of a search, or those named. With `dryRun`, counts them.',
    body: z.strictObject({
      action: z.enum(['retry', 'cancel', 'delete']),
      q: z.string().max(1000).optional(),
      ids: z.array(z.string().max(64)).min(1).max(mostPicked).optional(),
      asOf: z.iso.datetime({ offset: true }).optional(),
      dryRun: z.boolean().default(false),
      expectedCount: z.int().nonnegative().optional(),
      reason,
    }),
    answer: operationSchema,
    status: 202,
    async answerTo(visit, { body }) {
      demandPermission(visit, body.action)
      if ((body.q === undefined) === (body.ids === undefined))
        throw new Problem(400, 'invalid', 'Say either `q`, a search, or `ids`.')
      const target = await readTarget(
        visit,
        body.q ?? '',
        body.ids,
        body.asOf === undefined ? undefined : Date.parse(body.asOf),
      )
      if (body.dryRun) {
        const total = await visit.site.operations.count(body.action, target)
        return {
          id: null,
          action: body.action,
          search: target.search,
          status: 'preview',
          asOf: iso(target.asOf),
          total,
          matched: 0,
          changed: 0,
          skipped: {},
          startedAt: null,
          endedAt: null,
          by: visit.viewer.user ?? null,
          reason: body.reason ?? null,
          error: null,
        }
      }
      const operation = await visit.site.operations.start(visit, body.action, target, {
        expected: body.expectedCount,
        reason: body.reason,
      })
      return { ...operationJson(visit, operation), asOf: iso(target.asOf) }
    },
  }),
  api({
    method: 'POST',
    path: `${v1}/operations/:id/abort`,
    summary: 'Stops an operation; what it did stays done.',
    body: nothing,
    answer: operationSchema,
    async answerTo(visit) {
      const operation = operationOf(visit)
      demandPermission(visit, operation.action)
      visit.site.operations.abort(operation.id)
      record(visit, { action: 'operation.abort', target: operation.id, outcome: 'done' })
      return operationJson(visit, operationOf(visit))
    },
  }),
]

export const rest: readonly ApiRoute[] = [...reads, ...commands]

function noJob(): Problem {
  return new Problem(404, 'Q_JOB_NOT_FOUND', 'There is no such job: it never existed, or its retention has ended.')
}

function noRecurring(): Problem {
  return new Problem(404, 'not-found', 'There is no such recurring job.')
}

function operationOf(visit: Visit): NonNullable<ReturnType<Visit['site']['operations']['get']>> {
  const operation = visit.site.operations.get(visit.params['id']!)
  if (operation === null) throw new Problem(404, 'not-found', 'There is no such operation.')
  return operation
}

async function recurringJob({ site, params }: Visit): Promise<RecurringJob> {
  const [job] = (await site.reader.recurring({ limit: 1, ids: [params['id']!] })).items
  if (job === undefined) throw noRecurring()
  return job
}

async function suggest(
  { site }: Visit,
  field: 'kind' | 'queue' | 'tag' | 'recurring' | 'server',
  prefix: string,
): Promise<string[]> {
  const { reader } = site
  switch (field) {
    case 'kind':
      return [...(await reader.names('job', prefix, 20))]
    case 'queue':
    case 'tag':
      return [...(await reader.names(field, prefix, 20))]
    case 'recurring':
      return (await reader.recurring({ limit: 200 })).items
        .map(({ id }) => id)
        .filter((id) => id.startsWith(prefix))
        .slice(0, 20)
    case 'server':
      return (await reader.servers())
        .map(({ name }) => name)
        .filter((name) => name.startsWith(prefix))
        .slice(0, 20)
    default:
      return field satisfies never
  }
}
