import { QError } from '../errors.ts'
import type { Filter } from '../filters/filter.ts'
import type { Duration } from '../schedule/duration.ts'
import { parseDuration } from '../schedule/duration.ts'
import type { KeepOptions, Priority } from './enqueue-options.ts'
import type { JobContext } from './job-context.ts'
import { checkName, checkQueueName } from './name.ts'
import type { Outcome } from './outcome.ts'
import { priorityNumber } from './priority.ts'
import type { RetryOptions } from './retry.ts'
import type { SchemaInput, SchemaOutput, StandardSchema } from './standard-schema.ts'

export type Handler<Input, Result> = (
  input: Input,
  context: JobContext<Input>,
) => Result | Outcome | Promise<Result | Outcome>

type KeyOf<Input> = string | ((input: Input) => string)

export interface UniqueOptions<Input> {
  /** Two jobs with the same key are one. Default: the whole input. */
  readonly key?: KeyOf<Input> | undefined
  /** The key is free again once a run started, or once the job ended. Default 'finished'. */
  readonly until?: 'started' | 'finished' | undefined
  /** `skip`: the new job is not created. `replace`: it takes the place of one that has not started. Default 'skip'. */
  readonly onConflict?: 'skip' | 'replace' | undefined
  /** The key is free after this time, whatever became of the job. */
  readonly ttl?: Duration | undefined
  /** Keys are those of this job's name unless they are global. Default 'job'. */
  readonly scope?: 'job' | 'global' | undefined
}

export interface ConcurrencyOptions<Input> {
  /** Jobs with the same key share the limit. Default: all jobs of this name. */
  readonly key?: KeyOf<Input> | undefined
  readonly limit: number
  readonly scope?: 'job' | 'global' | undefined
}

export interface RateOptions<Input> {
  readonly key?: KeyOf<Input> | undefined
  /** This many starts at once, refilled evenly over `per`. */
  readonly limit: number
  readonly per: Duration
  readonly scope?: 'job' | 'global' | undefined
}

export interface JobOptions<Input, Result, Parsed = Input> {
  /** Stable identity: stored with every job, so never a path and never a class name. */
  readonly name: string
  /** Of the input's shape. Default 1. */
  readonly version?: number | undefined
  /** From each older version to the next. Payloads are lifted when they are read. */
  readonly upgrade?: Readonly<Record<number, (old: never) => unknown>> | undefined
  /** Default 'default'. */
  readonly queue?: string | undefined
  /** Default 'normal'. */
  readonly priority?: Priority | undefined
  /** The run is aborted and failed after this time. Default: none. */
  readonly timeout?: Duration | undefined
  /** `false`: one run only. */
  readonly retry?: RetryOptions | false | undefined
  readonly unique?: UniqueOptions<Input> | undefined
  readonly concurrency?: ConcurrencyOptions<Input> | undefined
  readonly rate?: RateOptions<Input> | undefined
  readonly keep?: KeepOptions | undefined
  readonly expiresIn?: Duration | undefined
  readonly tags?: readonly string[] | undefined
  /** A job that loses its server this often ends in `failed`. Default 3. */
  readonly crashLimit?: number | undefined
  readonly filters?: readonly Filter[] | undefined
  /** The work. May be left out, and attached to a server with `server.handle(job, fn)`. */
  readonly run?: Handler<Parsed, Result> | undefined
}

declare const types: unique symbol

/** A job as code knows it. The value links name, input and result wherever it is used. */
export interface JobDefinition<Input, Result> {
  readonly name: string
  readonly version: number
  readonly queue: string
  readonly priority: number
  readonly schema: StandardSchema | null
  readonly options: JobOptions<never, unknown, never>
  readonly filters: readonly Filter[]
  /** Only for the compiler. */
  readonly [types]?: { readonly input: (input: Input) => void; readonly result: Result }
}

type ResultOf<Result> = Exclude<Awaited<Result>, Outcome>

/**
 * Defines a job: its name, what it takes, how it is run.
 *
 * @example
 * export const sendMail = defineJob({
 *   name: 'mail.send',
 *   async run(input: { to: string }, ctx) { return { messageId: await smtp.send(input, { signal: ctx.signal }) } },
 * })
 * await client.enqueue(sendMail, { to: 'ada@example.com' })
 */
export function defineJob<const Schema extends StandardSchema, Result = unknown>(
  options: JobOptions<SchemaInput<Schema>, Result, SchemaOutput<Schema>> & { readonly input: Schema },
): JobDefinition<SchemaInput<Schema>, ResultOf<Result>>
export function defineJob<Input = void, Result = unknown>(
  options: JobOptions<Input, Result> & { readonly input?: undefined },
): JobDefinition<Input, ResultOf<Result>>
export function defineJob<Input, Result = unknown>(): (
  options: JobOptions<Input, Result> & { readonly input?: undefined },
) => JobDefinition<Input, Result>
export function defineJob(options?: unknown): unknown {
  return options === undefined ? define : define(options as AnyOptions)
}

type AnyOptions = JobOptions<never, unknown, never> & { readonly input?: StandardSchema | undefined }

function define(options: AnyOptions): JobDefinition<never, unknown> {
  checkName('job name', options.name)
  const { version = 1, queue = 'default', input } = options
  checkQueueName(queue)
  checkVersion(options.name, version, options.upgrade)
  checkNumbers(options)
  if (input !== undefined && typeof input['~standard']?.validate !== 'function') {
    throw new QError(
      'Q_OPTION_INVALID',
      `The input of job "${options.name}" is no schema: give one that implements Standard Schema (zod 3.24+, valibot 1, arktype 2), or leave it out and type the handler.`,
    )
  }
  return Object.freeze({
    name: options.name,
    version,
    queue,
    priority: priorityNumber(options.priority),
    schema: input ?? null,
    options: Object.freeze({ ...options }),
    filters: options.filters ?? [],
  })
}

function checkVersion(name: string, version: number, upgrade: AnyOptions['upgrade']): void {
  if (!Number.isInteger(version) || version < 1) {
    throw new QError(
      'Q_OPTION_INVALID',
      `The version of job "${name}" is ${version}; it must be a whole number from 1.`,
    )
  }
  for (const from of Object.keys(upgrade ?? {}).map(Number)) {
    if (!Number.isInteger(from) || from < 1 || from >= version) {
      throw new QError(
        'Q_OPTION_INVALID',
        `Job "${name}" is at version ${version} and has an upgrade from ${from}; upgrades lead from 1…${version - 1} to the next version.`,
      )
    }
  }
}

function checkNumbers({ name, timeout, retry, concurrency, rate, crashLimit, unique, expiresIn }: AnyOptions): void {
  if (timeout !== undefined) parseDuration(timeout, { option: `timeout of job "${name}"`, minMs: 1 })
  if (expiresIn !== undefined) parseDuration(expiresIn, `expiresIn of job "${name}"`)
  if (unique?.ttl !== undefined) parseDuration(unique.ttl, { option: `unique.ttl of job "${name}"`, minMs: 1 })
  if (rate !== undefined) parseDuration(rate.per, { option: `rate.per of job "${name}"`, minMs: 1 })
  checkCount(name, 'retry.attempts', retry === false ? undefined : retry?.attempts)
  checkCount(name, 'concurrency.limit', concurrency?.limit)
  checkCount(name, 'rate.limit', rate?.limit)
  checkCount(name, 'crashLimit', crashLimit)
}

function checkCount(name: string, option: string, value: number | undefined): void {
  if (value === undefined || (Number.isInteger(value) && value >= 1)) return
  throw new QError('Q_OPTION_INVALID', `"${option}" of job "${name}" is ${value}; it must be a whole number from 1.`)
}
