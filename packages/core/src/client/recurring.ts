import { QError } from '../errors.ts'
import type { JobDefinition } from '../jobs/define-job.ts'
import type { EnqueueOptions } from '../jobs/enqueue-options.ts'
import { jobIdFrom, randomText } from '../jobs/job-id.ts'
import { checkName } from '../jobs/name.ts'
import type { Duration } from '../schedule/duration.ts'
import { parseDuration } from '../schedule/duration.ts'
import { excerpt } from '../schedule/excerpt.ts'
import { parseInstant } from '../schedule/instant.ts'
import type { Misfire } from '../schedule/plan-occurrences.ts'
import type { Schedule } from '../schedule/schedule.ts'
import { firstAfter, nextAfter, parseSchedule } from '../schedule/schedule.ts'
import { cleanText } from '../states/encode-state.ts'
import { enqueued } from '../states/enqueued.ts'
import { persist } from '../storage-calls/persist.ts'
import type { JobId, NewJob } from '../storage/job.ts'
import type { Page } from '../storage/monitor.ts'
import type { RecurringPut, RecurringRecord, RecurringRun } from '../storage/recurring.ts'
import { buildJob, readCall } from './build-job.ts'
import type { Storable } from './client-types.ts'
import type { ClientCore } from './client-core.ts'
import type { PauseOptions } from './queues.ts'
import { storageNow } from './storage-now.ts'
import { decodeSpec, encodeSpec, occurrenceJobs, readRecurring } from './recurring-spec.ts'
import type { Overlap, RecurringSpec } from './recurring-spec.ts'

/** How a recurring job runs; its schedule stands beside it (`cron` or `every`). */
export interface RecurringOptions<Input> extends Omit<EnqueueOptions, 'id' | 'filters'> {
  readonly job: JobDefinition<Input, unknown>
  readonly input?: Storable<NoInfer<Input>> | undefined
  /** Occurrences more than a minute late: run the latest (`once`), every one (`all`), or none (`skip`). Default 'once'. */
  readonly misfire?: Misfire | undefined
  /** Default 'allow'. */
  readonly overlap?: Overlap | undefined
  /** Spreads the starts over this time, each occurrence by its own fixed share. */
  readonly jitter?: Duration | undefined
}

/** A job that takes an input gets the same one each time. */
export type RecurringInput<Input> = Schedule &
  RecurringOptions<Input> &
  ([Input] extends [void | undefined] ? unknown : { readonly input: Storable<NoInfer<Input>> })

/** One entry of `reconcile`. Make it with `recurringJob`, which checks input and job against each other. */
export type RecurringEntry = Schedule & RecurringOptions<never> & { readonly id: string }

export interface RecurringJob {
  readonly id: string
  readonly job: string
  readonly queue: string
  readonly input: unknown
  readonly schedule: Schedule
  /** The schedule in words. */
  readonly words: string
  readonly misfire: Misfire
  readonly overlap: Overlap
  readonly jitterMs: number
  readonly nextAt: Date | null
  readonly lastAt: Date | undefined
  readonly lastJob: JobId | undefined
  readonly paused:
    | {
        readonly at: Date
        readonly by?: string | undefined
        readonly reason?: string | undefined
        readonly until?: Date | undefined
      }
    | undefined
  readonly owner: string | undefined
  readonly error: string | undefined
  readonly version: number
  /** A preview of what comes. */
  next(count: number): Date[]
}

export interface ReconcileOptions {
  /** Whose entries these are: only those are removed. */
  readonly owner: string
  /** Remove entries of this owner that are not in the list any more. Default false. */
  readonly prune?: boolean | undefined
  /** Of the code: an older one changes nothing. */
  readonly revision?: number | undefined
}

export interface Recurring {
  /** Adds or changes one. Putting what is there changes nothing, its next run included. */
  put<Input>(id: string, options: RecurringInput<Input>): Promise<RecurringJob>
  /** Makes the stored entries of an owner those of the code. Never touches who is paused. */
  reconcile(
    entries: readonly RecurringEntry[],
    options: ReconcileOptions,
  ): Promise<{ readonly put: number; readonly removed: number }>
  /** Gives it another schedule; what it runs stays. False when there is no such recurring job. */
  reschedule(id: string, schedule: Schedule): Promise<boolean>
  pause(id: string, options?: PauseOptions): Promise<boolean>
  resume(id: string): Promise<boolean>
  /** Runs it now, beside its schedule. Null when there is no such recurring job. */
  trigger(id: string): Promise<JobId | null>
  remove(id: string): Promise<boolean>
  get(id: string): Promise<RecurringJob | null>
  list(page?: {
    readonly limit?: number
    readonly cursor?: string | undefined
    readonly owner?: string | undefined
  }): Promise<Page<RecurringJob>>
  /** The last runs, newest first. */
  runs(id: string, limit?: number): Promise<readonly RecurringRun[]>
}

/** One entry for `recurring.reconcile`, with job and input checked against each other. */
export function recurringJob<Input>(id: string, options: RecurringInput<Input>): RecurringEntry {
  return { ...options, id } as unknown as RecurringEntry
}

const casAttempts = 20

export function createRecurring(core: ClientCore): Recurring {
  const room = core.storage.recurring
  return {
    async put(id, options) {
      const draft = await makeDraft(core, { ...options, id } as unknown as RecurringEntry)
      const record = await putDraft(core, draft, undefined)
      return readRecurring(core, record)
    },
    reconcile: (entries, options) => reconcile(core, entries, options),
    reschedule: (id, schedule) => reschedule(core, id, schedule),
    pause: (id, options = {}) => pause(core, id, options),
    resume: (id) => resume(core, id),
    trigger: (id) => trigger(core, id),
    async remove(id) {
      const { value, repeated } = await persist(core.clock, core.deadlineMs, () => room.remove([{ id }]))
      // Gone when it is asked for again: that was us.
      return value[0]! || repeated
    },
    async get(id) {
      const record = await find(core, id)
      return record === null ? null : readRecurring(core, record)
    },
    async list({ limit = 100, cursor, owner } = {}) {
      const page = await core.storage.monitor.recurring({ limit, cursor, owner })
      return { ...page, items: page.items.map((record) => readRecurring(core, record)) }
    },
    runs: (id, limit = 50) => room.runs(id, limit),
  }
}

/** Everything of a record but where its schedule stands. */
interface Draft {
  readonly id: string
  readonly spec: RecurringSpec
  readonly job: NewJob
  readonly owner?: string | undefined
  readonly revision?: number | undefined
}

async function makeDraft(core: ClientCore, entry: RecurringEntry): Promise<Draft> {
  const {
    id,
    job,
    input,
    misfire = 'once',
    overlap = 'allow',
    jitter,
    cron,
    timeZone,
    dayMatch,
    every,
    anchor,
    ...options
  } = entry
  checkName('id of a recurring job', id)
  checkOneOf(id, 'misfire', misfire, ['once', 'all', 'skip'])
  checkOneOf(id, 'overlap', overlap, ['allow', 'skip', 'wait'])
  const schedule = storable({ cron, timeZone, dayMatch, every, anchor } as Schedule)
  const call = { definition: job, options: { ...options, id: jobIdFrom(`recurring:${id}`) }, candidate: enqueued() }
  const built = await buildJob(core, readCall(core, call), input)
  return {
    id,
    spec: {
      schedule,
      misfire,
      overlap,
      jitterMs: jitter === undefined ? 0 : parseDuration(jitter, 'jitter'),
    },
    job: dropUndefined(built.job),
  }
}

/** A schedule as it is stored: checked, with its anchor as a number, without what was not given. */
function storable(schedule: Schedule): Schedule {
  const given = dropUndefined(schedule)
  parseSchedule(given)
  return given.anchor === undefined ? given : { ...given, anchor: parseInstant(given.anchor, 'anchor') }
}

function checkOneOf(id: string, option: string, value: string, allowed: readonly string[]): void {
  if (allowed.includes(value)) return
  throw new QError(
    'Q_OPTION_INVALID',
    `"${option}" of the recurring job "${id}" is "${excerpt(value)}"; it must be one of ${allowed.join(', ')}.`,
  )
}

function dropUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T
}

/** Compare-and-set until it holds: another process may put, tick or pause the same record at this moment. */
async function putDraft(
  core: ClientCore,
  draft: Draft,
  reconciling: ReconcileOptions | undefined,
): Promise<RecurringRecord> {
  for (let attempt = 0; attempt < casAttempts; attempt++) {
    const [before, now] = await Promise.all([find(core, draft.id), storageNow(core)])
    if (before !== null && reconciling?.revision !== undefined && (before.revision ?? 0) > reconciling.revision)
      return before
    const next = merge(draft, before, now)
    const [answer] = await put(core, [{ ...next, expect: before?.version ?? 0 }])
    if (answer!.ok) return { ...next, version: answer!.version }
  }
  throw conflict(draft.id)
}

function merge(draft: Draft, before: RecurringRecord | null, now: number): Omit<RecurringPut, 'expect'> {
  const spec = encodeSpec(draft.spec)
  const schedule = parseSchedule(draft.spec.schedule)
  const sameSchedule =
    before !== null && JSON.stringify(decodeSpec(before.spec).schedule) === JSON.stringify(draft.spec.schedule)
  return dropUndefined({
    id: draft.id,
    spec,
    job: draft.job,
    nextAt: sameSchedule ? before.nextAt : firstAfter(schedule, now),
    lastAt: before?.lastAt,
    lastJob: before?.lastJob,
    paused: before?.paused,
    owner: draft.owner ?? before?.owner,
    revision: draft.revision ?? before?.revision,
  })
}

async function reconcile(
  core: ClientCore,
  entries: readonly RecurringEntry[],
  options: ReconcileOptions,
): Promise<{ put: number; removed: number }> {
  checkName('owner of recurring jobs', options.owner)
  const twice = entries.find(({ id }, index) => entries.findIndex((other) => other.id === id) !== index)
  if (twice !== undefined)
    throw new QError(
      'Q_OPTION_INVALID',
      `The recurring job "${twice.id}" stands twice in the list. Nothing was changed.`,
    )
  // All are made before any is put: a mistake in one changes nothing.
  const drafts = await Promise.all(entries.map((entry) => makeDraft(core, entry)))
  let put = 0
  for (let from = 0; from < drafts.length; from += 500) {
    put += await putChunk(
      core,
      drafts.slice(from, from + 500).map((draft) => ({ ...draft, owner: options.owner, revision: options.revision })),
      options,
    )
  }
  return { put, removed: options.prune ? await prune(core, new Set(entries.map(({ id }) => id)), options) : 0 }
}

/** One call for many; those that lost a race are put one by one. */
async function putChunk(core: ClientCore, drafts: readonly Draft[], options: ReconcileOptions): Promise<number> {
  const [found, now] = await Promise.all([
    core.storage.monitor.recurring({ limit: drafts.length, ids: drafts.map(({ id }) => id) }),
    storageNow(core),
  ])
  const before = new Map(found.items.map((record) => [record.id, record]))
  const fresh = drafts.filter(
    ({ id }) => options.revision === undefined || (before.get(id)?.revision ?? 0) <= options.revision,
  )
  if (fresh.length === 0) return 0
  const answers = await put(
    core,
    fresh.map((draft) => ({
      ...merge(draft, before.get(draft.id) ?? null, now),
      expect: before.get(draft.id)?.version ?? 0,
    })),
  )
  for (const [index, answer] of answers.entries()) if (!answer.ok) await putDraft(core, fresh[index]!, options)
  return fresh.length
}

async function prune(
  core: ClientCore,
  wanted: ReadonlySet<string>,
  { owner, revision }: ReconcileOptions,
): Promise<number> {
  let removed = 0
  let cursor: string | undefined
  do {
    const page = await core.storage.monitor.recurring({ limit: 500, cursor, owner })
    const gone = page.items.filter(
      (record) => !wanted.has(record.id) && (revision === undefined || (record.revision ?? 0) <= revision),
    )
    const answers = await core.storage.recurring.remove(gone.map(({ id, version }) => ({ id, expect: version })))
    removed += answers.filter(Boolean).length
    cursor = page.next
  } while (cursor !== undefined)
  return removed
}

async function change(
  core: ClientCore,
  id: string,
  edit: (record: RecurringRecord, now: number) => Omit<RecurringRecord, 'version'>,
): Promise<boolean> {
  for (let attempt = 0; attempt < casAttempts; attempt++) {
    const [record, now] = await Promise.all([find(core, id), storageNow(core)])
    if (record === null) return false
    const { version, ...edited } = { ...edit(record, now), version: record.version }
    const [answer] = await put(core, [{ ...edited, expect: version }])
    if (answer!.ok) return true
  }
  throw conflict(id)
}

async function reschedule(core: ClientCore, id: string, schedule: Schedule): Promise<boolean> {
  const stored = storable(schedule)
  return change(core, id, (record, now) => ({
    ...record,
    spec: encodeSpec({ ...decodeSpec(record.spec), schedule: stored }),
    nextAt: firstAfter(parseSchedule(stored), now),
  }))
}

function pause(core: ClientCore, id: string, { until, reason, by }: PauseOptions): Promise<boolean> {
  const untilMs = until === undefined ? undefined : parseInstant(until, 'until')
  return change(core, id, (record, now) => ({
    ...record,
    paused: dropUndefined({
      at: now,
      by: by ?? core.by,
      reason: reason === undefined ? undefined : cleanText(reason),
      until: untilMs,
    }),
  }))
}

/** What fell into the pause was not missed: the schedule goes on from now. */
function resume(core: ClientCore, id: string): Promise<boolean> {
  return change(core, id, ({ paused: _paused, ...record }, now) => {
    if (record.nextAt === null || record.nextAt > now) return record
    return { ...record, nextAt: nextAfter(parseSchedule(decodeSpec(record.spec).schedule), now) }
  })
}

async function trigger(core: ClientCore, id: string): Promise<JobId | null> {
  const command = randomText(core.clock, 16)
  const jobId = jobIdFrom(`trigger:${id}:${command}`)
  for (let attempt = 0; attempt < casAttempts; attempt++) {
    const [record, now] = await Promise.all([find(core, id), storageNow(core)])
    if (record === null) return null
    // Asked for by hand, so it neither waits nor is left out for the run before it.
    const spec: RecurringSpec = { ...decodeSpec(record.spec), overlap: 'allow', jitterMs: 0 }
    const jobs = occurrenceJobs(record, spec, [now], () => jobId)
    const tick = { id, expect: record.version, nextAt: record.nextAt, jobs }
    const { value } = await persist(core.clock, core.deadlineMs, () => core.storage.recurring.tick([tick]))
    const [answer] = value
    if (answer!.ok) return jobId
  }
  throw conflict(id)
}

/** Safe to repeat: what was put already is seen to be there, or to have moved on, and is read again. */
async function put(
  core: ClientCore,
  list: readonly RecurringPut[],
): ReturnType<ClientCore['storage']['recurring']['put']> {
  const { value } = await persist(core.clock, core.deadlineMs, () => core.storage.recurring.put(list))
  return value
}

async function find(core: ClientCore, id: string): Promise<RecurringRecord | null> {
  const page = await core.storage.monitor.recurring({ limit: 1, ids: [id] })
  return page.items[0] ?? null
}

function conflict(id: string): QError {
  return new QError(
    'Q_CONFLICT',
    `The recurring job "${id}" was changed by others ${casAttempts} times while this change was on its way. Try again.`,
  )
}
