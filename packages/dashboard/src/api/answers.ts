import type { Attempt, HistoryEntry, JobDetails, LogEntry, RecurringJob, SerializedError, ServerView } from '@q/core'
import type { ErrorGroup, RecurringRun } from '@q/core/storage'
import * as z from 'zod'
import type { Operation } from '../commands/operations.ts'
import type { Health } from '../reads/health.ts'
import type { QueueRow } from '../reads/queue-rows.ts'
import { jobStates } from '../search/job-states.ts'
import { scheduleText } from '../pages/recurring.ts'
import { lookOf } from '../views/state.ts'
import type { Visit } from '../visit.ts'
import { iso, jobJsonSchema, looks } from './job-json.ts'

// What programs get, described once: the description is what is published, and what the tests hold answers against.

const instant = z.iso.datetime()
const maybe = <T extends z.ZodType>(type: T): z.ZodNullable<T> => type.nullable()
const whole = z.int().nonnegative()

export const statsSchema: z.ZodType<ReturnType<typeof statsJson>> = z
  .strictObject({
    asOf: instant,
    healthy: z.boolean(),
    sentence: z.string(),
    counts: z.record(z.enum(jobStates), whole),
    exact: z.boolean(),
    rates: z.strictObject({ inPerSecond: z.number(), donePerSecond: z.number(), failedPerSecond: z.number() }),
    slots: z.strictObject({ busy: whole, total: whole }),
    oldestReadyAt: maybe(instant),
    servers: whole,
    problems: z.array(z.strictObject({ code: z.string(), subject: z.string(), message: z.string() })),
  })
  .meta({ id: 'Stats' })

export function statsJson(
  visit: Visit,
  health: Health,
): {
  asOf: string
  healthy: boolean
  sentence: string
  counts: Record<(typeof jobStates)[number], number>
  exact: boolean
  rates: { inPerSecond: number; donePerSecond: number; failedPerSecond: number }
  slots: { busy: number; total: number }
  oldestReadyAt: string | null
  servers: number
  problems: { code: string; subject: string; message: string }[]
} {
  const { counts } = health
  const { byPhase } = counts
  return {
    asOf: iso(health.at)!,
    healthy: health.isHealthy,
    sentence: health.sentence.replaceAll('\u00a0', ' '),
    counts: {
      enqueued: byPhase.ready,
      processing: byPhase.active,
      scheduled: byPhase.scheduled,
      retrying: counts.retrying,
      awaiting: byPhase.awaiting,
      parked: byPhase.parked,
      succeeded: byPhase.succeeded,
      failed: byPhase.failed,
      deleted: byPhase.deleted,
    },
    exact: counts.exact,
    rates: {
      inPerSecond: health.inPerSecond,
      donePerSecond: health.donePerSecond,
      failedPerSecond: health.failedPerSecond,
    },
    slots: health.slots,
    oldestReadyAt: iso(health.oldestReadyAt),
    servers: health.servers,
    problems: health.problems.map(({ code, subject, message }) => ({
      code,
      subject,
      message: visit.redact.text(message).replaceAll('\u00a0', ' '),
    })),
  }
}

export const jobPageSchema: z.ZodType = z
  .strictObject({
    items: z.array(jobJsonSchema),
    next: maybe(z.string()),
    searched: maybe(z.strictObject({ scanned: whole, complete: z.boolean() })),
    count: z.strictObject({ value: whole, exact: z.boolean() }),
  })
  .meta({ id: 'JobPage' })

interface ErrorJson {
  readonly name: string
  readonly message: string
  readonly code: string | null
  readonly stack: string | null
  readonly properties: unknown
  readonly cause: ErrorJson | null
  readonly errors: readonly ErrorJson[]
}

const errorSchema: z.ZodType<ErrorJson> = z
  .strictObject({
    name: z.string(),
    message: z.string(),
    code: maybe(z.string()),
    stack: maybe(z.string()),
    properties: z.unknown(),
    get cause() {
      return maybe(errorSchema)
    },
    get errors() {
      return z.array(errorSchema)
    },
  })
  .meta({ id: 'JobError' })

const jobDetailsSchema: z.ZodType = z
  .strictObject({
    id: z.string(),
    kind: z.string(),
    version: whole,
    queue: z.string(),
    priority: z.int(),
    state: z.enum(looks),
    stateName: z.string(),
    reason: maybe(z.string()),
    attempt: whole,
    crashes: whole,
    tags: z.array(z.string()),
    createdAt: instant,
    scheduledFor: maybe(instant),
    startedAt: maybe(instant),
    finishedAt: maybe(instant),
    expiresAt: maybe(instant),
    removedAt: maybe(instant),
    server: maybe(z.string()),
    progress: maybe(z.strictObject({ value: z.number(), message: maybe(z.string()) })),
    input: z.unknown(),
    result: z.unknown(),
    resultMissing: maybe(z.string()),
    meta: z.record(z.string(), z.unknown()),
    error: maybe(errorSchema),
    recurring: maybe(z.strictObject({ id: z.string(), at: instant })),
    parents: z.array(z.strictObject({ id: z.string(), phase: z.string() })),
    children: whole,
    cancelling: z.boolean(),
  })
  .meta({ id: 'JobDetails' })

export const jobAnswerSchema: z.ZodType = z
  .strictObject({
    job: jobDetailsSchema,
    history: z.array(
      z.strictObject({
        state: z.string(),
        phase: z.string(),
        reason: maybe(z.string()),
        at: instant,
        by: maybe(z.string()),
        attempt: whole,
        fingerprint: maybe(z.string()),
      }),
    ),
    attempts: z.array(
      z.strictObject({
        n: whole,
        startedAt: instant,
        endedAt: maybe(instant),
        server: maybe(z.string()),
        outcome: z.string(),
        error: maybe(errorSchema),
      }),
    ),
  })
  .meta({ id: 'JobAnswer' })

export function jobAnswer(visit: Visit, job: JobDetails): Record<string, unknown> {
  const secrets = new Set<string>()
  const input = visit.redact.data(job.input, secrets)
  const meta = visit.redact.data(job.meta, secrets)
  const result = visit.redact.data(job.result, secrets)
  const clean = (text: string | undefined): string | null =>
    text === undefined ? null : visit.redact.text(text, secrets)
  return {
    job: {
      id: job.id,
      kind: job.name,
      version: job.version,
      queue: job.queue,
      priority: job.priority,
      state: lookOf(job.phase, job.attempt),
      stateName: job.state,
      reason: clean(job.reason),
      attempt: job.attempt,
      crashes: job.crashes,
      tags: job.tags,
      createdAt: iso(job.createdAt),
      scheduledFor: iso(job.scheduledFor),
      startedAt: iso(job.startedAt),
      finishedAt: iso(job.finishedAt),
      expiresAt: iso(job.expiresAt),
      removedAt: iso(job.removedAt),
      server: job.server ?? null,
      progress: job.progress === undefined ? null : { value: job.progress.value, message: clean(job.progress.message) },
      input: input ?? null,
      result: result ?? null,
      resultMissing: job.resultMissing ?? null,
      meta,
      error: job.error === undefined ? null : errorJson(visit, job.error, secrets),
      recurring: job.recurring === undefined ? null : { id: job.recurring.id, at: iso(job.recurring.at) },
      parents: job.parents,
      children: job.children,
      cancelling: job.cancelling !== undefined,
    },
    history: job.history.map((entry: HistoryEntry) => ({
      state: entry.state,
      phase: entry.phase,
      reason: clean(entry.reason),
      at: iso(entry.at),
      by: entry.by ?? null,
      attempt: entry.attempt,
      fingerprint: entry.fingerprint ?? null,
    })),
    attempts: job.attempts.map((attempt: Attempt) => ({
      n: attempt.n,
      startedAt: iso(attempt.startedAt),
      endedAt: iso(attempt.endedAt),
      server: attempt.server ?? null,
      outcome: attempt.outcome,
      error: attempt.error === undefined ? null : errorJson(visit, attempt.error, secrets),
    })),
  }
}

function errorJson(visit: Visit, error: SerializedError, secrets: ReadonlySet<string>): ErrorJson {
  const clean = (text: string): string => visit.redact.text(text, secrets)
  return {
    name: clean(error.name),
    message: clean(error.message),
    code: error.code === undefined ? null : clean(error.code),
    stack: error.stack === undefined ? null : clean(error.stack),
    properties: error.properties === undefined ? null : visit.redact.data(error.properties),
    cause: error.cause === undefined ? null : errorJson(visit, error.cause, secrets),
    errors: (error.errors ?? []).map((member) => errorJson(visit, member, secrets)),
  }
}

export const logsSchema: z.ZodType = z
  .strictObject({
    lines: z.array(
      z.strictObject({
        n: whole,
        at: instant,
        attempt: whole,
        level: z.string(),
        text: z.string(),
        fields: z.unknown(),
      }),
    ),
    next: maybe(whole),
  })
  .meta({ id: 'Logs' })

export function logsJson(visit: Visit, lines: readonly LogEntry[], hasMore: boolean): Record<string, unknown> {
  return {
    lines: lines.map(({ n, at, attempt, level, text, fields }) => ({
      n,
      at: iso(at),
      attempt,
      level,
      text: visit.redact.text(text),
      fields: fields === undefined ? null : visit.redact.data(fields),
    })),
    next: hasMore ? (lines.at(-1)?.n ?? null) : null,
  }
}

export const explanationSchema: z.ZodType = z
  .strictObject({
    id: z.string(),
    status: z.string(),
    blockers: z.array(
      z.strictObject({
        code: z.string(),
        text: z.string(),
        until: maybe(instant),
        jobs: z.array(z.string()),
        queue: maybe(z.string()),
      }),
    ),
  })
  .meta({ id: 'Explanation' })

export const commandSchema: z.ZodType = z
  .strictObject({ applied: z.literal(true), outcome: z.string() })
  .meta({ id: 'CommandDone' })

export const errorGroupSchema: z.ZodType = z
  .strictObject({
    fingerprint: z.string(),
    name: z.string(),
    message: z.string(),
    kinds: z.array(z.string()),
    count: whole,
    firstAt: instant,
    lastAt: instant,
    trend: z.array(whole),
    sampleJobId: z.string(),
  })
  .meta({ id: 'ErrorGroup' })

export function errorGroupJson(visit: Visit, group: ErrorGroup): Record<string, unknown> {
  const preview = visit.redact.text(group.preview)
  const at = preview.indexOf(': ')
  return {
    fingerprint: group.fingerprint,
    name: at < 0 ? preview : preview.slice(0, at),
    message: at < 0 ? '' : preview.slice(at + 2),
    kinds: group.names,
    count: group.count,
    firstAt: iso(group.firstAt),
    lastAt: iso(group.lastAt),
    trend: group.trend,
    sampleJobId: group.sample,
  }
}

const pausedSchema = maybe(
  z.strictObject({ at: instant, by: maybe(z.string()), reason: maybe(z.string()), until: maybe(instant) }),
)

function pausedJson(
  visit: Visit,
  paused:
    | { at: Date | number; by?: string | undefined; reason?: string | undefined; until?: Date | number | undefined }
    | null
    | undefined,
): unknown {
  if (paused === null || paused === undefined) return null
  return {
    at: iso(paused.at),
    by: paused.by ?? null,
    reason: paused.reason === undefined ? null : visit.redact.text(paused.reason),
    until: iso(paused.until),
  }
}

export const queueSchema: z.ZodType = z
  .strictObject({
    name: z.string(),
    ready: whole,
    active: whole,
    scheduled: whole,
    latencyMs: z.number(),
    inPerSecond: z.number(),
    outPerSecond: z.number(),
    drainMs: maybe(z.number()),
    servers: whole,
    maxActive: maybe(whole),
    rate: maybe(z.strictObject({ limit: whole, perMs: whole })),
    paused: pausedSchema,
  })
  .meta({ id: 'Queue' })

export function queueJson(visit: Visit, row: QueueRow): Record<string, unknown> {
  const { name, ready, active, scheduled, latencyMs, inPerSecond, outPerSecond, drainMs, servers } = row
  return {
    name,
    ready,
    active,
    scheduled,
    latencyMs,
    inPerSecond,
    outPerSecond,
    drainMs,
    servers,
    maxActive: row.maxActive ?? null,
    rate: row.rate ? { limit: row.rate.max, perMs: row.rate.per } : null,
    paused: pausedJson(visit, row.paused),
  }
}

export const recurringSchema: z.ZodType = z
  .strictObject({
    id: z.string(),
    kind: z.string(),
    queue: z.string(),
    schedule: z.string(),
    zone: maybe(z.string()),
    words: z.string(),
    misfire: z.string(),
    overlap: z.string(),
    jitterMs: whole,
    nextAt: maybe(instant),
    lastAt: maybe(instant),
    lastJobId: maybe(z.string()),
    paused: pausedSchema,
    owner: maybe(z.string()),
    error: maybe(z.string()),
    input: z.unknown(),
  })
  .meta({ id: 'Recurring' })

export function recurringJson(visit: Visit, job: RecurringJob): Record<string, unknown> {
  return {
    id: job.id,
    kind: job.job,
    queue: job.queue,
    schedule: scheduleText(job).replaceAll('\u00a0', ' '),
    zone: job.schedule.cron === undefined ? null : (job.schedule.timeZone ?? 'UTC'),
    words: job.words,
    misfire: job.misfire,
    overlap: job.overlap,
    jitterMs: job.jitterMs,
    nextAt: iso(job.nextAt),
    lastAt: iso(job.lastAt),
    lastJobId: job.lastJob ?? null,
    paused: pausedJson(visit, job.paused),
    owner: job.owner ?? null,
    error: job.error === undefined ? null : visit.redact.text(job.error),
    input: visit.redact.data(job.input) ?? null,
  }
}

export const runSchema: z.ZodType = z
  .strictObject({ jobId: z.string(), at: instant, state: z.enum(looks), ranMs: maybe(z.number()) })
  .meta({ id: 'RecurringRun' })

export function runJson({ job, at, phase, ranMs }: RecurringRun): Record<string, unknown> {
  return { jobId: job, at: iso(at), state: lookOf(phase), ranMs: ranMs ?? null }
}

export const serverSchema: z.ZodType = z
  .strictObject({
    session: z.string(),
    name: z.string(),
    startedAt: instant,
    seenAt: instant,
    silent: z.boolean(),
    held: whole,
    slots: maybe(whole),
    host: maybe(z.string()),
    pid: maybe(z.int()),
    version: maybe(z.string()),
    queues: z.array(z.string()),
    kinds: z.array(z.string()),
  })
  .meta({ id: 'Server' })

export function serverJson({
  session,
  name,
  startedAt,
  seenAt,
  silent,
  held,
  info,
}: ServerView): Record<string, unknown> {
  return {
    session,
    name,
    startedAt: iso(startedAt),
    seenAt: iso(seenAt),
    silent,
    held,
    slots: info?.concurrency ?? null,
    host: info?.host ?? null,
    pid: info?.pid ?? null,
    version: info?.version ?? null,
    queues: info?.queues ?? [],
    kinds: info?.jobs ?? [],
  }
}

export const operationSchema: z.ZodType = z
  .strictObject({
    id: maybe(z.string()),
    action: z.enum(['retry', 'cancel', 'delete']),
    search: z.string(),
    status: z.enum(['preview', 'running', 'done', 'aborted', 'failed']),
    asOf: maybe(instant),
    total: z.strictObject({ value: whole, exact: z.boolean() }),
    matched: whole,
    changed: whole,
    skipped: z.record(z.string(), whole),
    startedAt: maybe(instant),
    endedAt: maybe(instant),
    by: maybe(z.string()),
    reason: maybe(z.string()),
    error: maybe(z.string()),
  })
  .meta({ id: 'Operation' })

export function operationJson(visit: Visit, operation: Operation): Record<string, unknown> {
  const { id, action, search, status, total, matched, changed, skipped, startedAt, endedAt, by, reason, error } =
    operation
  return {
    id,
    action,
    search,
    status,
    asOf: null,
    total,
    matched,
    changed,
    skipped,
    startedAt: iso(startedAt),
    endedAt: iso(endedAt),
    by: by ?? null,
    reason: reason ?? null,
    error: error === undefined ? null : visit.redact.text(error),
  }
}

const duration = maybe(z.number())
export const metricSchema: z.ZodType = z
  .strictObject({
    key: z.string(),
    runs: whole,
    failedShare: z.number(),
    runMs: z.strictObject({ p50: duration, p95: duration, p99: duration }),
    waitP95Ms: duration,
    totalMs: z.number(),
  })
  .meta({ id: 'Metric' })

export const pointSchema: z.ZodType = z
  .strictObject({
    at: instant,
    created: whole,
    ok: whole,
    failed: whole,
    retried: whole,
    runP50Ms: duration,
    runP95Ms: duration,
    waitP50Ms: duration,
    waitP95Ms: duration,
  })
  .meta({ id: 'Point' })
